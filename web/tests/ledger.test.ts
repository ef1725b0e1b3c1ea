import { describe, expect, test } from 'vitest'
import { Ledger } from '../src/sync/ledger'

/** A ledger after a first exchange in which we had nothing to offer. */
function settled(): Ledger {
  const ledger = new Ledger()
  ledger.answered(false)
  ledger.acknowledged(1)
  return ledger
}

describe('the save state is never ahead of the ack', () => {
  test('loading until there is a text, and until the first exchange is acknowledged', () => {
    const ledger = new Ledger()
    expect(ledger.saveState('first', false)).toBe('loading')
    expect(ledger.saveState('open', true)).toBe('loading')
    ledger.answered(false)
    expect(ledger.saveState('open', true)).toBe('loading')
    ledger.acknowledged(1)
    expect(ledger.saveState('open', true)).toBe('saved')
  })

  test('a change is saving from the moment it is made until the ack of its frame', () => {
    const ledger = settled()
    ledger.changed()
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.sent()
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.acknowledged(1)
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.acknowledged(2)
    expect(ledger.saveState('open', true)).toBe('saved')
  })

  test('a change made after a frame left is not covered by its ack', () => {
    const ledger = settled()
    ledger.changed()
    ledger.sent()
    ledger.changed()
    ledger.acknowledged(2)
    expect(ledger.saveState('open', true)).toBe('saving')
    expect(ledger.outstanding).toBe(1)
  })

  test('an ack of frames that were never sent settles nothing that comes later', () => {
    const ledger = settled()
    ledger.acknowledged(99)
    ledger.changed()
    ledger.sent()
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.acknowledged(2)
    expect(ledger.saveState('open', true)).toBe('saved')
  })

  test('what was on its way when the connection broke is unsaved until the next exchange is acknowledged', () => {
    const ledger = settled()
    ledger.changed()
    ledger.sent()
    ledger.connectionLost()
    expect(ledger.saveState('lost', true)).toBe('offline')
    expect(ledger.outstanding).toBe(1)
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.answered(true)
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.acknowledged(1)
    expect(ledger.saveState('open', true)).toBe('saved')
  })

  test('after a reconnection nothing is saved before the server has been answered', () => {
    const ledger = settled()
    ledger.connectionLost()
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.answered(false)
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.acknowledged(1)
    expect(ledger.saveState('open', true)).toBe('saved')
  })

  test('what an earlier window left on this device counts as a change', () => {
    const ledger = new Ledger()
    ledger.answered(true)
    expect(ledger.saveState('open', true)).toBe('saving')
    expect(ledger.outstanding).toBe(1)
    ledger.acknowledged(1)
    expect(ledger.saveState('open', true)).toBe('saved')
  })

  test('a refused frame is unsaved, also after its ack, until it is offered again and acknowledged', () => {
    const ledger = settled()
    ledger.changed()
    ledger.sent()
    ledger.refused(2)
    expect(ledger.saveState('open', true)).toBe('unsaved')
    ledger.acknowledged(2)
    expect(ledger.saveState('open', true)).toBe('unsaved')
    expect(ledger.outstanding).toBe(1)
    ledger.answered(true)
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.acknowledged(3)
    expect(ledger.saveState('open', true)).toBe('saved')
  })

  test('what was refused is carried by an answer that is given before its ack', () => {
    const ledger = settled()
    ledger.changed()
    ledger.sent()
    ledger.refused(2)
    ledger.answered(true)
    expect(ledger.hasRefused).toBe(false)
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.acknowledged(2)
    expect(ledger.saveState('open', true)).toBe('saving')
    ledger.acknowledged(3)
    expect(ledger.saveState('open', true)).toBe('saved')
  })

  test('what turns out to be refused behind an answer is carried by it, and may be refused with it', () => {
    const ledger = settled()
    ledger.changed()
    ledger.sent()
    ledger.answered(true)
    ledger.refused(2)
    ledger.acknowledged(2)
    expect(ledger.hasRefused).toBe(false)
    expect(ledger.outstanding).toBe(1)
    ledger.refused(3)
    expect(ledger.saveState('open', true)).toBe('unsaved')
    ledger.acknowledged(3)
    expect(ledger.saveState('open', true)).toBe('unsaved')
    ledger.answered(true)
    ledger.acknowledged(4)
    expect(ledger.saveState('open', true)).toBe('saved')
  })

  test('a refused first answer is unsaved although no change was counted', () => {
    const ledger = new Ledger()
    ledger.answered(false)
    ledger.refused(1)
    ledger.acknowledged(1)
    expect(ledger.saveState('open', true)).toBe('unsaved')
  })

  test('a refusal of a frame that is not on its way changes nothing', () => {
    const ledger = settled()
    ledger.refused(1)
    ledger.refused(7)
    expect(ledger.saveState('open', true)).toBe('saved')
  })

  test('a server that can not store says so until its next ack', () => {
    const ledger = settled()
    ledger.degraded(true)
    expect(ledger.saveState('open', true)).toBe('saved')
    ledger.changed()
    ledger.sent()
    expect(ledger.saveState('open', true)).toBe('unsaved')
    ledger.acknowledged(2)
    expect(ledger.saveState('open', true)).toBe('saved')
  })
})

test('in any order of events, saved implies that nothing is outstanding', () => {
  let seed = 20261123
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed % below
  }
  for (let round = 0; round < 300; round++) {
    const ledger = new Ledger()
    const unstored = new Set<number>()
    let made = 0
    let frames: number[][] = []
    let waiting: number[] = []
    let acked = 0
    const steps: (() => void)[] = [
      () => {
        ledger.changed()
        unstored.add(++made)
        waiting.push(made)
      },
      () => {
        if (waiting.length === 0 || frames.length === 0) return
        ledger.sent()
        frames.push(waiting)
        waiting = []
      },
      () => {
        if (acked >= frames.length) return
        acked += 1
        for (const change of frames[acked - 1] ?? []) unstored.delete(change)
        ledger.acknowledged(acked)
      },
      () => {
        ledger.connectionLost()
        frames = []
        acked = 0
      },
      () => {
        if (frames.length > 0) return
        frames.push([...unstored])
        waiting = []
        ledger.answered(unstored.size > 0)
      },
    ]
    for (let step = 0; step < 40; step++) {
      steps[random(steps.length)]?.()
      if (ledger.saveState('open', true) === 'saved') expect([...unstored]).toEqual([])
      expect(ledger.outstanding === 0).toBe(unstored.size === 0)
    }
  }
})
