import { claim, heed } from './claim-steps.ts';
import { accept, back, collectLanding, giveBack, makeReady, receive, settle } from './destination-steps.ts';
import { abort, fence, start, stop } from './power-steps.ts';
import { adopt, cede, collect, finish, open, send, takeBack } from './source-steps.ts';
import type { Step } from './step.ts';
import type { Walk } from './walk.ts';

/** Every step that the model lets do something now, at any host, by any run and any statement ever signed. */
export function possibleSteps(walk: Walk): Step[] {
  const steps = [
    ...walk.hosts.flatMap((h) => hostSteps(walk, h)),
    ...walk.said.runs.flatMap((_, said) => walk.hosts.flatMap((h) => runSteps(walk, h, said))),
  ];
  return steps.filter((step) => canBeAsked(walk, step) && (step.changes(walk)?.length ?? 0) > 0);
}

/** A host without power is asked for nothing until it has heard of claims. */
export function canBeAsked(walk: Walk, { kind, h }: Step): boolean {
  return !walk.isDown(h) || kind === 'heed';
}

/** Steps that bring the VM nearer to its next host. */
export function onwardSteps(walk: Walk): Step[] {
  const { hosts } = walk.model;
  return possibleSteps(walk).filter(({ kind, h }) => {
    if (kind === 'open') return hosts[h]?.run === 0;
    // A guest is stopped for what it is stopped for; a fence that stands is not put on again.
    if (kind === 'fence') return hosts[h]?.noted !== hosts[h]?.run;
    return !['abort', 'supersede', 'settle', 'claim'].includes(kind);
  });
}

function hostSteps(walk: Walk, h: number): Step[] {
  const steps: Step[] = [adopt(walk, h), adopt(walk, h, 'passed over'), claim(walk, h), heed(walk, h)];
  for (const to of walk.hosts) {
    if (to === h) continue;
    steps.push(open(walk, h, to, false), open(walk, h, to, true));
  }
  for (const { at, token } of walk.model.landings) if (at === h) steps.push(settle(walk, h, token));
  for (const [said, deed] of walk.said.deeds.entries()) {
    steps.push(accept(walk, h, said), takeBack(walk, h, said), back(walk, h, said));
    if (deed.body.from === walk.identity(h)) steps.push(collect(walk, h, said));
  }
  for (const said of walk.said.settled.keys()) steps.push(finish(walk, h, said));
  for (const said of walk.said.ready.keys()) steps.push(cede(walk, h, said));
  return steps;
}

function runSteps(walk: Walk, h: number, said: number): Step[] {
  const { from, to } = walk.run(said);
  if (h !== from && h !== to) return [];
  const both = [stop(walk, h, said), fence(walk, h, said), start(walk, h, said), abort(walk, h, said)];
  if (h === from) return [...both, send(walk, said)];
  const collects = [false, true].map((evenReady) => collectLanding(walk, said, evenReady));
  return [...both, receive(walk, said), makeReady(walk, said), giveBack(walk, h, said), ...collects];
}
