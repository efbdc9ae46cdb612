import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addHostInit } from './host-init.ts';
import { addHostList } from './host-list.ts';
import { addHostShow } from './host-show.ts';
import { addHostTrust } from './host-trust.ts';

export function addHost(program: Command, cli: Cli): void {
  const host = program.command('host').description('hosts: make one on this machine, trust others, see them all');
  for (const add of [addHostInit, addHostTrust, addHostList, addHostShow]) add(host, cli);
}
