import type { TunnelMaker } from './tunnel.ts';

/** The tunnel of the study's comparison. There is none between the sites of the line yet, so what needs it is named as missing. */
export const ipsec: TunnelMaker = {
  lacks: () => ['an IPsec tunnel between the two sites is not there in this version of Sealift'],
  raise: () => Promise.reject(new Error('there is no IPsec tunnel')),
};
