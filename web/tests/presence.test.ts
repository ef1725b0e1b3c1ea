// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Awareness } from '../src/sync/awareness'
import { PresenceSender } from '../src/sync/presence'
import { decodeMessage } from '../src/sync/wire'

let awareness: Awareness
let sender: PresenceSender
let sent: Uint8Array[]

beforeEach(() => {
  vi.useFakeTimers()
  awareness = new Awareness(5)
  sent = []
  sender = new PresenceSender(awareness, frame => sent.push(frame) > 0)
})

afterEach(() => {
  sender.destroy()
  vi.useRealTimers()
})

/** Our states as the server would read them. */
function states(): unknown[] {
  return sent.map(frame => {
    const message = decodeMessage(frame)
    return message.type === 'awareness' ? message.entries[0]?.state : message
  })
}

const move = (line: number): void => awareness.setLocal({ line })

test('the first move leaves at once, then one every 40 ms, and the last is never lost', async () => {
  move(1)
  await vi.advanceTimersByTimeAsync(0)
  expect(sent).toHaveLength(1)
  for (let line = 2; line <= 9; line++) {
    move(line)
    await vi.advanceTimersByTimeAsync(10)
  }
  await vi.advanceTimersByTimeAsync(100)
  expect(sent.length).toBeLessThanOrEqual(5)
  expect(states().at(-1)).toMatchObject({ line: 9 })
})

test('a state that did not change is not sent, but renewed every 15 s', async () => {
  move(1)
  await vi.advanceTimersByTimeAsync(100)
  move(1)
  await vi.advanceTimersByTimeAsync(100)
  expect(sent).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(15_000)
  expect(sent).toHaveLength(2)
})

test('idle after a minute without a key, active with the next one', async () => {
  await vi.advanceTimersByTimeAsync(60_000)
  expect(awareness.local.state).toBe('idle')
  window.dispatchEvent(new KeyboardEvent('keydown', { key: 'a' }))
  expect(awareness.local.state).toBe('active')
})

test('a hidden tab is idle, whatever happens in it', async () => {
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
  document.dispatchEvent(new Event('visibilitychange'))
  window.dispatchEvent(new FocusEvent('focus'))
  expect(awareness.local.state).toBe('idle')
  vi.restoreAllMocks()
  document.dispatchEvent(new Event('visibilitychange'))
  expect(awareness.local.state).toBe('active')
})

test('on leaving our state is taken back with a higher clock', () => {
  sender.announce()
  sender.leave()
  const clocks = sent.map(frame => {
    const message = decodeMessage(frame)
    return message.type === 'awareness' ? message.entries[0]?.clock : undefined
  })
  expect(clocks).toEqual([1, 2])
  expect(states().at(-1)).toBeNull()
})
