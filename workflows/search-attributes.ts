import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** What Temporal's visibility knows of a migration. Never encrypted: names and numbers only. */
export const searchKeys = {
  vm: defineSearchAttributeKey('SealiftVm', SearchAttributeType.KEYWORD),
  source: defineSearchAttributeKey('SealiftSource', SearchAttributeType.KEYWORD),
  destination: defineSearchAttributeKey('SealiftDestination', SearchAttributeType.KEYWORD),
  method: defineSearchAttributeKey('SealiftMethod', SearchAttributeType.KEYWORD),
  /** `SealiftPhase = "waits"` lists whatever needs a person or an absent host. */
  phase: defineSearchAttributeKey('SealiftPhase', SearchAttributeType.KEYWORD),
  token: defineSearchAttributeKey('SealiftToken', SearchAttributeType.INT),
};
