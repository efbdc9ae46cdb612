/** Figures that may change from version to version without a change of the wire; `opening.ts` and `control.ts` hold those that may not. */

/** A connection that has not proved itself within this time is closed. */
export const authenticationMs = 10_000;
/** Connections of one landing that may be unproved at a time. */
export const unauthenticatedConnections = 64;
/** Chunk buffers of a landing, over all its threads: 64 MiB. */
export const landingSlots = 16;
/** What each of its threads may use of them: at least so many, or one for each connection and so many more. */
export const leastSlots = 4;
export const slotsWritten = 2;
/** Chunk buffers for reading back, for each thread of a landing. */
export const readBackSlots = 1;
/** A landing closes a connection that brought nothing for so long; its sender beats far more often. */
export const landingIdleMs = 60_000;
/**
 * Bytes given to the kernel and not acknowledged, over all streams of a sender: what a killed one may have to send again. What is read and sealed
 * ahead does not count.
 */
export const mostUnacknowledgedBytes = 60 * 1024 * 1024;
/** What a record counts at least, so that those of holes have an end too. */
export const leastRecordBytes = 64 * 1024;
/** Chunk buffers of a sender, over all its threads. */
export const senderSlots = 14;
/** Chunk buffers of each thread of a sender, as long as it has few streams. */
export const lanesPerThread = 3;
export const mostStreams = 64;
/**
 * What a transfer begins with at most: so many always have something to write while what they wrote before is acknowledged. More of them
 * have to wait for that, and a stream that waits loses its speed.
 */
export const mostFirstStreams = 8;
/** What the number of streams may grow to by itself. */
export const mostAutomaticStreams = 16;
export const defaultStallMs = 20_000;
export const defaultConnectLimitMs = 60_000;
/** A record goes to the socket in slices: large ones cost less, small ones show progress on a slow line. */
export const fastSliceBytes = 512 * 1024;
export const slowSliceBytes = 32 * 1024;
/** Speed is told over this window. */
export const rateWindowMs = 5_000;
/** The most bytes taken from a connection that has not proved itself: one hello, or some pings. */
export const mostUnprovedBytes = 16 * 1024;
