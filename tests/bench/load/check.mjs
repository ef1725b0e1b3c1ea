// Whether the generator counts right, judged by yjs; tests/bench/test_bench.py runs it.
import assert from 'node:assert/strict'
import { readFrom, readRuns } from './bytes.mjs'
import { Receiver, Times } from './meter.mjs'
import { FIRST_ID, SEED_ID, seedUpdate, Typist, Y } from './typist.mjs'

/** The runs of clocks in an update. */
const runs = update => {
  const found = []
  readFrom(Buffer.from(update), 0)
  readRuns((client, from, to) => found.push([client, from, to]))
  return found
}

/** What a receiver of updates in this order has in the end. */
const received = updates => {
  const receiver = new Receiver(1, -1, FIRST_ID)
  for (const update of updates) {
    readFrom(update, 0)
    readRuns(receiver.take)
  }
  return { next: receiver.next[0], reordered: receiver.reordered }
}

// Text of all widths, marks, removals and their garbage: clocks are those that yjs counts.
const doc = new Y.Doc()
doc.clientID = 7
const content = doc.getText('content')
content.insert(0, 'aé漢😀 and more')
content.format(0, 2, { bold: true })
content.delete(3, 4)
const whole = Y.encodeStateAsUpdate(doc)
assert.deepEqual(runs(whole), [[7, 0, Y.getState(doc.store, 7)]])
const later = Y.encodeStateAsUpdate(doc, Y.encodeStateVector(new Map([[7, 5]])))
assert.equal(runs(later)[0][1], 5)

// A typist's keys: lost, doubled, out of order and joined by yjs.
const seed = seedUpdate(100)
assert.deepEqual(runs(seed), [[SEED_ID, 0, 100]])
const typed = new Y.Doc()
Y.applyUpdate(typed, seed)
typed.clientID = FIRST_ID
const keys = []
typed.on('update', update => keys.push(Buffer.from(update)))
for (let i = 0; i < 10; i++) typed.getText('content').insert(50 + i, 'x')
assert.deepEqual(received(keys), { next: 10, reordered: 0 })
assert.deepEqual(received([...keys, ...keys]), { next: 10, reordered: 0 })
assert.deepEqual(received(keys.toSpliced(3, 1)), { next: 3, reordered: 0 })
assert.deepEqual(received(keys.toReversed()), { next: 10, reordered: 9 })
assert.deepEqual(received([Buffer.from(Y.mergeUpdates(keys))]), { next: 10, reordered: 0 })
for (const isTold of [false, true]) {
  new Typist({ number: 3, of: 5, length: 100, prefix: Buffer.from('x'), isTold, hasCaret: true }).prove(seed)
}

const times = new Times()
for (let ms = 1; ms <= 1000; ms++) times.add(ms - 0.01)
assert.ok(Math.abs(times.at(0.5) - 500) < 0.1 && Math.abs(times.at(0.99) - 990) < 0.1)
