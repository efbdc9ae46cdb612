/**
 * What is known here of the study (Yamashita, Lua, Oguchi: "An Empirical Performance Study of Secured Virtual Machine Migration for Inter-Cloud Networks"). Of its three figures these
 * are statements, not curves: nothing else is drawn as published.
 */
export const published = {
  study:
    'Yamashita, Lua, Oguchi: “An Empirical Performance Study of Secured Virtual Machine Migration for Inter-Cloud Networks”',
  /** Its Fig. 5: the round trip at which encrypting, copying and decrypting becomes faster than the tunnel. */
  crossingMs: [40, 60],
  /** Its Fig. 7: what of the tunnel's time the other way then takes. */
  ratio: { percent: 60, fromMs: 100 },
} as const;
