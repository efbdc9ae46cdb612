import type { Edit } from './edits.ts';

/** A build in which one guard is taken out: the judge must see what comes of it. */
export interface Sabotage {
  name: string;
  edits: Edit[];
}

export const sabotages: Sabotage[] = [];
