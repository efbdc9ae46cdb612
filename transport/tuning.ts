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
/** Chunks sent and not acknowledged, over all streams of a sender: what a killed one may have to send again, less than 64 MiB. */
export const chunksInFlight = 15;
/** Chunk buffers of each thread of a sender, as long as it has few streams. */
export const lanesPerThread = 3;
export const mostStreams = 64;
/**
 * What a transfer begins with at most. With twice as many chunks in flight each stream has one to write while the one before is
 * acknowledged; streams that wait for that lose their speed.
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
