/** What `npm run model` checks of docs/deed.tla. */

export interface Bounds {
  hosts: 2 | 3;
  maxToken: number;
  maxWrite: number;
}

/** One whole check: with every guard in place no invariant may break. */
export interface Setting {
  name: string;
  /** What the module looks at besides moves; it says what each means. */
  features: string[];
  bounds: Bounds;
  /** With `--large`. */
  large: Bounds;
  /** Guards that are left out on purpose, and the only invariants that hold then. */
  without?: { guards: string[]; invariants: Invariant[] };
}

export const invariants = [
  'OneRuns',
  'OneHolder',
  'OnlyHolder',
  'NothingLost',
  'CopyKept',
  'KeptAsCeded',
  'NeverStranded',
  'OneWriter',
  'MemoryFits',
] as const;
export type Invariant = (typeof invariants)[number];

/** Guards taken out together, because each of them alone is covered by the other, and the invariant that breaks then. */
export interface Sabotage {
  guards: string[];
  features: string[];
  bounds: Bounds;
  breaks: Invariant;
}

/** What a fence on the host itself is made of; a shared disk's reservation holds without it. */
export const localFence = [
  'a fence is proven',
  'cede proves the fence again',
  'reading is under the fence',
  'give back only what was fenced',
  'give back proves the fence again',
  'receive only where nothing of it is',
];

export const settings: Setting[] = [
  {
    name: 'two hosts',
    features: [],
    bounds: { hosts: 2, maxToken: 4, maxWrite: 1 },
    large: { hosts: 2, maxToken: 5, maxWrite: 2 },
  },
  {
    name: 'three hosts',
    features: [],
    bounds: { hosts: 3, maxToken: 3, maxWrite: 1 },
    large: { hosts: 3, maxToken: 4, maxWrite: 1 },
  },
  {
    name: 'a fence taken off by hand',
    features: ['byHand'],
    bounds: { hosts: 2, maxToken: 3, maxWrite: 2 },
    large: { hosts: 2, maxToken: 5, maxWrite: 1 },
  },
  {
    name: 'adoption, the others passed over',
    features: ['adopt', 'passedOver'],
    bounds: { hosts: 2, maxToken: 3, maxWrite: 1 },
    large: { hosts: 3, maxToken: 3, maxWrite: 1 },
  },
  {
    name: 'adoption, files everywhere',
    features: ['adopt', 'copies'],
    bounds: { hosts: 3, maxToken: 3, maxWrite: 1 },
    large: { hosts: 3, maxToken: 4, maxWrite: 2 },
  },
  {
    name: 'shared LUN',
    features: ['shared'],
    bounds: { hosts: 2, maxToken: 4, maxWrite: 1 },
    large: { hosts: 3, maxToken: 4, maxWrite: 1 },
  },
  {
    name: 'shared LUN, no other fence',
    features: ['shared', 'unfenced'],
    bounds: { hosts: 2, maxToken: 3, maxWrite: 1 },
    large: { hosts: 2, maxToken: 4, maxWrite: 1 },
    without: { guards: localFence, invariants: ['OneHolder', 'OneWriter'] },
  },
  {
    name: 'live',
    features: ['shared', 'live'],
    bounds: { hosts: 2, maxToken: 3, maxWrite: 1 },
    large: { hosts: 2, maxToken: 4, maxWrite: 2 },
  },
  {
    name: "an operator's claim",
    features: ['failover'],
    bounds: { hosts: 3, maxToken: 2, maxWrite: 0 },
    large: { hosts: 3, maxToken: 2, maxWrite: 1 },
  },
  {
    name: "an operator's claim, and then on",
    features: ['failover', 'onward'],
    bounds: { hosts: 2, maxToken: 2, maxWrite: 0 },
    large: { hosts: 2, maxToken: 3, maxWrite: 0 },
  },
];
