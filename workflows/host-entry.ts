import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { HostCard } from '../domain/survey.ts';
import type { HostEntry } from './contract.ts';

const cardQuery = defineQuery<HostEntry | null>('card');
const registerSignal = defineSignal<[HostCard]>('register');

/** Keeps a host's card under `host/<name>`; Temporal's visibility over these workflows is the directory of hosts. */
export async function hostEntry(known: HostEntry | null): Promise<never> {
  let entry = known;
  const show = (): void => {
    if (entry === null) return;
    const { card, registeredAt } = entry;
    setCurrentDetails(
      `**${card.name}** (${card.site}), sealift ${card.version}, Xen ${card.xenVersion}, registered ${registeredAt}`,
    );
  };
  show();
  setHandler(cardQuery, () => entry, { description: "what the host's worker said of it when it last started" });
  setHandler(
    registerSignal,
    (card) => {
      entry = { card, registeredAt: new Date().toISOString() };
      show();
    },
    { description: "sent by the host's worker at every start" },
  );
  await condition(() => workflowInfo().continueAsNewSuggested && allHandlersFinished());
  return continueAsNew<typeof hostEntry>(entry);
}
