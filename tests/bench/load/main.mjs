// The load generator: does what it is told, a JSON line a command on standard input, and answers each with a JSON line.
// It decides nothing: tests/bench/scenarios has what is measured.
import readline from 'node:readline'
import { appends } from './appends.mjs'
import { Crowd } from './crowd.mjs'
import { open, Scribe, storm } from './opening.mjs'
import { Streams } from './streams.mjs'

let crowd = null
let scribe = null

const commands = {
  gather: async how => {
    crowd = new Crowd(how)
    return await crowd.gather()
  },
  type: async how => await crowd.type(how),
  settle: async () => await crowd.settle(),
  state: async () => crowd.state(),
  /** Whether a newcomer finds the text that was typed in the document at this place. */
  check: async ({ place, ...how }) => {
    const text = crowd.textOf(place)
    const document = crowd.documents[place]
    const where = { ...crowd.how, url: crowd.urlOf(document, 0), document }
    return await open({ ...where, ...how, characters: text.length }, found => found === text)
  },
  leave: async () => {
    crowd.leave()
    return {}
  },
  watch: async how => {
    crowd.streams = new Streams({ ...how, typists: crowd.perDocument })
    return await crowd.streams.open()
  },
  write: async how => {
    scribe = new Scribe()
    return await scribe.write(how)
  },
  stop_writing: async () => scribe.leave(),
  open: async how => await open(how),
  storm: async how => await storm(how),
  append: async how => await appends(how),
}

// A turn that throws in a socket's callback has no other place to tell it.
process.on('uncaughtException', error => {
  console.error(error)
  process.exit(1)
})
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...how } = JSON.parse(line)
  let answer
  try {
    answer = { result: await commands[command](how) }
  } catch (error) {
    answer = { error: error.stack ?? String(error) }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
process.exit(0)
