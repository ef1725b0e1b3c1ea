// @vitest-environment jsdom
import { describe, expect, test, vi } from 'vitest'
import { Blocked, Gone, poll, stream } from '../src/sync/downlink'
import { EventText } from '../src/sync/event-text'
import { FarSide } from './support/far-side'

const TEXT = [
  'retry: 2000\n\n',
  ': a sign of life, ünd ein ✓\n\n',
  'event: frame\nid: 0.1\ndata: AAECAw==\n\n',
  'data:no space\nevent:other\n\n',
  'event: frame\nid: 3.17\ndata: one\ndata:  two\n\n',
  'event: nothing\n\n',
  'event: frame\ndata: cut off',
].join('')

const EVENTS = [
  ['frame', '0.1', 'AAECAw=='],
  ['other', '0.1', 'no space'],
  ['frame', '3.17', 'one\n two'],
]

function read(pieces: readonly string[]): string[][] {
  const told: string[][] = []
  const text = new EventText((event, id, data) => told.push([event, id, data]))
  for (const piece of pieces) text.push(piece)
  return told
}

describe('an event stream’s text', () => {
  for (const [name, end] of [
    ['LF', '\n'],
    ['CR LF', '\r\n'],
    ['CR', '\r'],
  ] as const) {
    test(`is the same wherever it is cut, with lines that end with ${name}`, () => {
      // A CR at the very end may be half of a line's end: the last event waits for what follows.
      const text = TEXT.replaceAll('\n', end)
      for (let at = 0; at <= text.length; at++) {
        expect(read([text.slice(0, at), text.slice(at)])).toEqual(EVENTS)
      }
      expect(read([...text])).toEqual(EVENTS)
    })
  }
})

describe('what comes down', () => {
  const heardOf = () => {
    const heard: [number, number[]][] = []
    return {
      heard,
      told: { alive: () => {}, frame: (at: number, frame: Uint8Array) => heard.push([at, [...frame]]) },
    }
  }

  test('a stream byte by byte, characters that are cut among them', async () => {
    const far = new FarSide()
    const { heard, told } = heardOf()
    const read = stream('http://d/sse/d', told, new AbortController().signal)
    far.last('sse').stream()
    for (const byte of new TextEncoder().encode(TEXT.replace('one\ndata:  two', 'Bw=='))) {
      far.last('sse').say(Uint8Array.of(byte))
    }
    far.last('sse').end()
    await read
    expect(heard).toEqual([
      [0, [0, 1, 2, 3]],
      [3, [7]],
    ])
  })

  test('a poll’s frames, and nothing of an answer that breaks off', async () => {
    const far = new FarSide()
    const { heard, told } = heardOf()
    const octets = { 'Content-Type': 'application/octet-stream' }
    const whole = poll('http://d/poll/d', told, new AbortController().signal)
    far.last('poll').answer(200, Uint8Array.of(0, 2, 7, 8, 1, 1, 9), octets)
    await whole
    expect(heard).toEqual([
      [0, [7, 8]],
      [1, [9]],
    ])
    const broken = poll('http://d/poll/d', told, new AbortController().signal)
    far.last('poll').answer(200, Uint8Array.of(0, 2, 7), octets)
    await expect(broken).rejects.toThrow()
  })

  test('tells the server’s word from that of something in its place', async () => {
    const far = new FarSide()
    const { told } = heardOf()
    const { signal } = new AbortController()
    const answers = [
      [() => far.last('sse').problem(404), Gone],
      [() => far.last('sse').answer(404, 'no such page'), Blocked],
      [() => far.last('sse').answer(403, 'forbidden'), Blocked],
      [() => far.last('sse').answer(200, '<html>', { 'Content-Type': 'text/html' }), Blocked],
      [() => far.last('sse').answer(502, 'bad gateway'), Error],
    ] as const
    for (const [answer, kind] of answers) {
      const asked = stream('http://d/sse/d', told, signal)
      answer()
      const error = await asked.catch((failed: unknown) => failed)
      expect((error as Error).constructor).toBe(kind)
    }
  })

  test('a stream that was left is not read any more', async () => {
    const far = new FarSide()
    const leaving = new AbortController()
    const { heard, told } = heardOf()
    const read = stream('http://d/sse/d', told, leaving.signal)
    far.last('sse').stream()
    await vi.waitFor(() => expect(far.last('sse').isAborted).toBe(false))
    leaving.abort()
    await expect(read).rejects.toThrow('aborted')
    expect(heard).toEqual([])
  })
})
