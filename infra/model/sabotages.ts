import { localFence } from './cases.ts';
import type { Bounds, Invariant, Sabotage } from './cases.ts';

const small: Bounds = { hosts: 2, maxToken: 3, maxWrite: 1 };
const short: Bounds = { hosts: 2, maxToken: 2, maxWrite: 0 };
const long: Bounds = { hosts: 2, maxToken: 4, maxWrite: 0 };
const longest: Bounds = { hosts: 2, maxToken: 5, maxWrite: 0 };
const three: Bounds = { hosts: 3, maxToken: 2, maxWrite: 0 };
const live = ['shared', 'live'];

/** Each guard of docs/deed.tla, taken out: what breaks. Two together are such that each covers the other. */
export const sabotages: Sabotage[] = [
  // statements
  breaks('OneHolder', ['lineage is compared']),
  breaks('OneHolder', ['a statement counts only where it is addressed'], [], three),
  // fence and commands
  breaks('OnlyHolder', ['unfence only by the holder']),
  breaks('NothingLost', ['unfence only with no run open', 'a broken fence voids the reading']),
  breaks('OnlyHolder', ['an intent ends with its command']),
  breaks('NothingLost', ['a fence is proven']),
  breaks('OnlyHolder', ['a proof waits for commands', 'a fence waits for commands']),
  breaks('NothingLost', ['one step at a time']),
  breaks('OnlyHolder', ['no hand comes between proof and deed'], ['byHand']),
  breaks('NothingLost', ['a broken fence voids the reading'], ['byHand']),
  // adoption
  breaks('OneHolder', ['adopt only without a record', 'adopt only without a mark'], ['adopt', 'passedOver']),
  breaks('OneHolder', ['adoption asks the others'], ['adopt', 'copies']),
  // source
  breaks('OneHolder', ['open only by the holder']),
  breaks('NothingLost', ['reading is under the fence']),
  breaks('OneHolder', ['abort only before the cede']),
  breaks('NothingLost', [
    'a new run forgets the reading',
    'an abort forgets the reading',
    'a broken fence voids the reading',
  ]),
  breaks('NeverStranded', ['cede only the open run'], [], long),
  breaks('OnlyHolder', ['cede proves the fence again'], ['byHand']),
  breaks('NothingLost', ['cede only what READY and the own reading agree on']),
  breaks('OneHolder', ['take back only by the next token'], [], long),
  breaks('NeverStranded', ['take back forgets the peer'], [], long),
  // destination
  breaks('CopyKept', ['receive only a newer token']),
  breaks('OnlyHolder', ['receive only where nothing of it is'], ['copies']),
  breaks('KeptAsCeded', ['copy only into a landing']),
  breaks('NothingLost', ['READY tells what was read back']),
  breaks('NothingLost', ['no copying after READY']),
  breaks('CopyKept', ['accept only the token waited for'], [], long),
  breaks('CopyKept', ['accept only after READY', "collect READY's landing only when its source gave it up"]),
  // back
  breaks('NeverStranded', ['return only what was ceded'], [], long),
  breaks('OnlyHolder', ['give back only what is on its way back']),
  breaks('OnlyHolder', ['give back only what was fenced', 'give back proves the fence again']),
  // the end of a hold
  breaks('NeverStranded', ['settle only what was accepted']),
  breaks('CopyKept', ['settle only what was not given back']),
  breaks('CopyKept', ['settle only what is not on its way back']),
  breaks('CopyKept', ['settle ends the way back']),
  breaks('CopyKept', ["collect only by the holder's word"]),
  breaks('CopyKept', ['collect only what was settled'], [], longest),
  breaks('CopyKept', ['collect no copy that somebody could need']),
  breaks('CopyKept', ['a landing given free takes no more']),
  breaks('CopyKept', ['collection forgets READY', "collect READY's landing only when its source gave it up"]),
  // one disk for both
  breaks('NothingLost', ['a shared disk is not collected'], ['shared']),
  breaks('OneWriter', ['the reservation is given up first', ...localFence], ['shared', 'unfenced']),
  breaks('OneRuns', ['a domain arrives paused'], live),
  breaks('OneRuns', ['unpause only by the holder', 'unpause only with the reservation'], live),
  breaks('MemoryFits', ['unpause only with no run open', 'unpause only with the reservation'], live),
  breaks('MemoryFits', ['no copying after READY'], live),
  breaks('MemoryFits', ['take back only with no domain left'], live),
  breaks('MemoryFits', ['cede only what READY and the own reading agree on'], live),
  // a claim
  breaks('OneHolder', ['the host is gone'], ['failover'], three),
  breaks('OnlyHolder', ['who heeds is stopped and fenced'], ['failover'], three),
  breaks('CopyKept', ['claim only a whole copy'], ['failover'], three),
  breaks('CopyKept', ['claim only a copy that is kept'], ['failover']),
  breaks('CopyKept', ['settle only what was not given back'], ['failover'], short),
  breaks('CopyKept', ['settle only what is not on its way back'], ['failover'], short),
  breaks('CopyKept', ['settle ends the way back'], ['failover'], short),
  breaks('OneHolder', ['heed only a newer claim'], ['failover', 'onward'], short),
  breaks('OneHolder', ['nobody else has the VM or waits for it'], ['failover'], { ...three, maxToken: 3 }),
];

function breaks(invariant: Invariant, guards: string[], features: string[] = [], bounds = small): Sabotage {
  return { guards, features, bounds, breaks: invariant };
}
