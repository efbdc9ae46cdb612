import { connect } from '../../client/index.ts';

const sealift = await connect();
const move = await sealift.migrate({ vm: 'web-1', from: 'lon-1', to: 'fra-1', cutover: 'approve' });
await move.approve({ by: 'ops@example.org' });
for await (const at of move.progress()) console.log(at.phase, at.verifiedBytes, at.totalBytes);
const { body } = await move.result();
console.log(`${body.vmName} runs on ${body.destination.name}, root ${body.root}`);
await sealift.close();
