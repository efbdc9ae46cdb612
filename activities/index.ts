import { activityInfo, Context } from '@temporalio/activity';
import { z } from 'zod';
import { deedWord } from '../domain/deed-report.ts';
import { diskShape } from '../domain/manifest.ts';
import { probeSpec } from '../domain/migration.ts';
import { hostName, method, migrationId, poolName, vmName, vmUuid } from '../domain/names.ts';
import { receipt } from '../domain/receipt.ts';
import {
  signedClaim,
  signedDeed,
  signedOffer,
  signedReady,
  signedRunKey,
  signedSettled,
  signedTunnel,
} from '../domain/statement.ts';
import { destinationSurvey, hostCard as hostCardShape, sourceSurvey } from '../domain/survey.ts';
import { abortRun } from './abort.ts';
import { admitRun } from './admission.ts';
import { adoptVm } from './adopt.ts';
import { hostCard } from './card.ts';
import { deedReport } from './deed-report.ts';
import { beating, edges } from './edge.ts';
import { fenceVm } from './fencing.ts';
import { listGarbage, removeGarbage } from './garbage.ts';
import { acceptDeed, cede, makeReady } from './handover.ts';
import { beginReturn, checkHold, finishHold, giveBack, settleHold, takeBack } from './hold.ts';
import { claimsKept, heedClaims } from './heed.ts';
import { onlookerOf } from './host.ts';
import type { Host } from './host.ts';
import type { Transfer } from './jobs.ts';
import { guestDisks } from './memory-image.ts';
import { readNotes } from './notes.ts';
import { inPlainWords, plainWords } from './plain-words.ts';
import type { HostActivities } from './port.ts';
import { destroyVm, startVm, stopVm } from './power.ts';
import { probe } from './probe.ts';
import { receiptsOf } from './receipt-book.ts';
import { signReceipt } from './receipts.ts';
import { closeLanding, openRun, receiveRun, runState } from './run.ts';
import { sealContainer, sendContainer } from './staged.ts';
import { surveyDestination, surveyLink, surveySource } from './survey.ts';
import { claimConcerns, toldClaims } from './told-claims.ts';
import { sendDisks, steerTransfer } from './transfer.ts';
import { joinTunnel, offerTunnel, raiseRunTunnel } from './tunnel.ts';
import { openContainer } from './unstage.ts';
import { inspectVm, listVms, seeVm } from './vms.ts';

const vm = z.union([vmUuid, vmName]);
const who = z.string().min(1).max(200);
const hosts = z.array(hostName);
const run = { migrationId };
const limit = z.number().positive();
const handOver = z.strictObject({
  key: signedRunKey,
  destination: hostCardShape,
  limitBytesPerSecond: limit.optional(),
});
const placement = destinationSurvey.shape.placement;

/** A host's steps as activities: inputs parsed, errors mapped, long ones heartbeating. */
export function hostActivities(host: Host): HostActivities {
  const plain = plainWords(host);
  const { edge, question, reporting } = edges(plain);
  const signal = (): AbortSignal => Context.current().cancellationSignal;
  return {
    hostCard: question(() => hostCard(host)),
    listVms: question(() => listVms(host)),
    inspectVm: edge(z.strictObject({ vm }), async (ask) => {
      const report = await inspectVm(host, ask.vm);
      return { ...report, concerns: [...report.concerns, ...claimConcerns(host, report.summary.deed?.lineage)] };
    }),
    seeVm: edge(z.strictObject({ vmUuid }), (ask) => seeVm(host, ask.vmUuid)),
    adoptVm: edge(z.strictObject({ vm, by: who, elsewhere: hosts, notAsked: hosts, withoutAsking: hosts }), (ask) =>
      adoptVm(host, ask),
    ),
    listGarbage: question(() => listGarbage(host)),
    removeGarbage: edge(z.strictObject({ ids: z.array(z.string()), givenUp: z.array(z.string()), by: who }), (ask) =>
      removeGarbage(host, ask),
    ),
    findReceipts: edge(z.strictObject({ vm: vm.optional(), migrationId: migrationId.optional() }), (ask) =>
      Promise.resolve(receiptsOf(host.state.database, ask)),
    ),
    runState: edge(z.strictObject(run), (ask) => runState(host, ask.migrationId)),
    deedReport: edge(z.strictObject({ vm, peers: z.array(deedWord) }), (ask) => deedReport(onlookerOf(host), ask)),
    exchangeClaims: edge(z.strictObject({ claims: z.array(signedClaim) }), async ({ claims }) => {
      await heedClaims(host, claims);
      return { claims: claimsKept(host), told: toldClaims(onlookerOf(host)) };
    }),

    surveySource: edge(
      z.strictObject({
        vmUuid,
        to: hostName,
        method,
        keepMemory: z.boolean().optional(),
        migrationId: migrationId.optional(),
        supersede: migrationId.optional(),
      }),
      (ask) => inPlainWords(surveySource(host, ask)),
    ),
    surveyDestination: edge(z.strictObject({ source: sourceSurvey, method, pool: poolName.optional() }), (ask) =>
      inPlainWords(surveyDestination(host, ask)),
    ),
    surveyLink: edge(z.strictObject({ vmUuid, method, destination: hostCardShape }), (ask) => surveyLink(host, ask)),

    openRun: edge(
      z.strictObject({
        input: z.object({ migrationId, vmUuid, vmName, method, keepMemory: z.boolean().optional() }),
        to: hostName,
        supersede: migrationId.optional(),
      }),
      (ask) => openRun(host, ask),
    ),
    receiveRun: edge(
      z.strictObject({
        offer: signedOffer,
        placement,
        disks: z.array(diskShape).min(1),
        memoryBytes: z.int().min(0).optional(),
        from: hostName,
      }),
      (ask) => receiveRun(host, ask),
    ),
    admitRun: edge(z.strictObject(run), (ask) => admitRun(host, ask.migrationId)),
    stopVm: reporting(z.strictObject({ ...run, graceMs: z.int().min(0), handOver: handOver.optional() }), (ask) => {
      const seen: { transfer: Transfer | null } = { transfer: null };
      const work = stopVm(host, ask, signal(), (transfer) => {
        seen.transfer = transfer;
      });
      return beating(work, () => seen.transfer?.progress() ?? null);
    }),
    destroyVm: edge(z.strictObject({ ...run, by: who }), (ask) => destroyVm(host, ask)),
    fenceVm: edge(z.strictObject(run), (ask) => fenceVm(host, ask.migrationId)),

    sendDisks: reporting(
      z.strictObject({
        ...run,
        key: signedRunKey,
        destination: hostCardShape,
        roundTripMs: z.number().min(0).optional(),
        streams: z.int().min(1).max(64).optional(),
        limitBytesPerSecond: limit.optional(),
        round: z.int().min(0).optional(),
      }),
      (ask) => sendDisks(host, ask),
    ),
    offerTunnel: edge(z.strictObject(run), (ask) => offerTunnel(host, ask)),
    joinTunnel: edge(z.strictObject({ ...run, tunnel: signedTunnel }), (ask) => joinTunnel(host, ask)),
    raiseTunnel: edge(z.strictObject({ ...run, tunnel: signedTunnel, destination: hostCardShape }), (ask) =>
      raiseRunTunnel(host, ask),
    ),
    sealContainer: reporting(z.strictObject({ ...run, key: signedRunKey }), (ask) => sealContainer(host, ask)),
    sendContainer: reporting(z.strictObject({ ...run, limitBytesPerSecond: limit.optional() }), (ask) =>
      sendContainer(host, ask),
    ),
    openContainer: reporting(z.strictObject(run), (ask) => openContainer(host, ask.migrationId, signal())),
    steerTransfer: edge(
      z.strictObject({ ...run, paused: z.boolean().optional(), limitBytesPerSecond: limit.nullable().optional() }),
      (ask) => steerTransfer(host, ask),
    ),

    makeReady: reporting(z.strictObject(run), (ask) => makeReady(host, ask.migrationId, signal())),
    cede: edge(z.strictObject({ ...run, ready: signedReady }), (ask) => cede(host, ask)),
    acceptDeed: edge(z.strictObject({ ...run, deed: signedDeed }), (ask) => acceptDeed(host, ask)),
    startVm: edge(z.strictObject({ ...run, start: z.boolean() }), (ask) => startVm(host, ask)),
    probeVm: edge(z.strictObject({ ...run, probe: probeSpec }), (ask) => {
      const { record } = host.deeds.byMigration(ask.migrationId);
      const notes = readNotes(host.deeds, ask.migrationId);
      const probed = {
        vmName: record.vmName,
        vmUuid: record.vmUuid,
        diskPaths: [...guestDisks(notes.disks), ...notes.luns].map((disk) => disk.path),
        netFolder: host.file.xen.net,
        consoles: notes.consoles ?? [],
        commands: host.file.probe,
      };
      return probe(host.toolstack, probed, ask.probe, { plain, signal: signal() });
    }),
    signReceipt: edge(z.strictObject({ ...run, receipt }), (ask) =>
      Promise.resolve(signReceipt(host, ask.migrationId, ask.receipt)),
    ),
    abortRun: edge(z.strictObject(run), (ask) => abortRun(host, ask.migrationId, workflowRun())),
    closeLanding: edge(z.strictObject(run), (ask) => closeLanding(host, ask.migrationId)),

    checkHold: edge(z.strictObject({ vmUuid }), (ask) => checkHold(host, ask.vmUuid)),
    beginReturn: edge(z.strictObject({ vmUuid, to: hostName, deed: signedDeed }), (ask) =>
      beginReturn(host, ask, workflowRun()),
    ),
    giveBack: edge(z.strictObject(run), (ask) => giveBack(host, ask.migrationId)),
    takeBack: edge(z.strictObject({ deed: signedDeed }), (ask) => Promise.resolve(takeBack(host, ask.deed))),
    settleHold: edge(z.strictObject({ vmUuid, token: z.int().positive(), by: who }), (ask) =>
      Promise.resolve(settleHold(host, ask)),
    ),
    finishHold: edge(z.strictObject({ settled: signedSettled, by: who }), (ask) => finishHold(host, ask)),
  };
}

/** Which run of a workflow asks; undefined for a client. */
function workflowRun(): string | undefined {
  return activityInfo().workflowExecution?.runId;
}
