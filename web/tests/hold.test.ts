import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { HoldGate } from '../src/sync/hold'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const update = (byte: number): Uint8Array => Uint8Array.of(byte)

function gateWithLog(): { gate: HoldGate; applied: number[][] } {
  const applied: number[][] = []
  const gate = new HoldGate(updates => applied.push(updates.map(([byte]) => byte ?? -1)))
  return { gate, applied }
}

test('passes updates on at once while nobody composes', () => {
  const { gate, applied } = gateWithLog()
  gate.push(update(1))
  expect(applied).toEqual([[1]])
})

test('releases in order 50 ms after the composition has ended', () => {
  const { gate, applied } = gateWithLog()
  gate.hold(true)
  gate.push(update(1))
  gate.push(update(2))
  gate.hold(false)
  vi.advanceTimersByTime(49)
  gate.push(update(3))
  expect(applied).toEqual([])
  expect(gate.waiting).toBe(3)
  vi.advanceTimersByTime(1)
  expect(applied).toEqual([[1, 2, 3]])
})

test('a composition that starts again within the 50 ms keeps holding', () => {
  const { gate, applied } = gateWithLog()
  gate.hold(true)
  gate.push(update(1))
  gate.hold(false)
  vi.advanceTimersByTime(30)
  gate.hold(true)
  vi.advanceTimersByTime(1_000)
  expect(applied).toEqual([])
  gate.hold(false)
  vi.advanceTimersByTime(50)
  expect(applied).toEqual([[1]])
})

test('a composition left open hides the others for 5 s at most, again and again', () => {
  const { gate, applied } = gateWithLog()
  gate.hold(true)
  gate.push(update(1))
  vi.advanceTimersByTime(5_000)
  expect(applied).toEqual([[1]])
  gate.push(update(2))
  expect(applied).toEqual([[1]])
  vi.advanceTimersByTime(5_000)
  expect(applied).toEqual([[1], [2]])
})

test('nothing is applied after closing', () => {
  const { gate, applied } = gateWithLog()
  gate.hold(true)
  gate.push(update(1))
  gate.close()
  vi.advanceTimersByTime(10_000)
  expect(applied).toEqual([])
})
