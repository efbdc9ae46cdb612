import { playLane } from './lane.ts';

playLane('staged');
