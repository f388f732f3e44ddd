import { commandCost, largeReadCost } from './polled/command-cost.js'
import { formatSection } from './report/format.js'
const o = { repetitions: 5, sliceMs: 200, isFull: false }
console.log(formatSection(await commandCost(o)))
console.log(formatSection(await largeReadCost(o)))
