/** Version of the statements' form, of the wire and of the container; hosts one apart refuse in the preflight. */
export const protocolVersion = 1;
