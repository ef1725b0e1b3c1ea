import { describe, expect, test } from 'vitest'
import {
  decodeMessage,
  encodeAwareness,
  encodeHello,
  encodeStep1,
  encodeStep2,
  encodeUpdate,
  MalformedMessage,
} from '../src/sync/wire'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const ascii = (text: string): string => Buffer.from(text).toString('hex')

describe('what we send', () => {
  test('hello: type 0x70, version, generation, flags', () => {
    expect(encodeHello(0)).toEqual(hex('70 01 00 00'))
    expect(encodeHello(300)).toEqual(hex('70 01 ac02 00'))
  })

  test('sync messages: 00, step, length, payload', () => {
    expect(encodeStep1(hex('00'))).toEqual(hex('00 00 01 00'))
    expect(encodeStep2(hex('0000'))).toEqual(hex('00 01 02 0000'))
    expect(encodeUpdate(new Uint8Array(200))).toEqual(hex(`00 02 c801 ${'00'.repeat(200)}`))
  })

  test('awareness: 01, length, count, then client, clock and JSON with its length in bytes', () => {
    const entry = { clientId: 1209, clock: 1, state: { a: 'é' } }
    expect(encodeAwareness([entry])).toEqual(hex(`01 0f 01 b909 01 0a ${ascii('{"a":"é"}')}`))
    const left = { clientId: 1, clock: 2, state: null }
    expect(encodeAwareness([left])).toEqual(hex(`01 08 01 01 02 04 ${ascii('null')}`))
  })
})

describe('what we read', () => {
  test('sync messages', () => {
    expect(decodeMessage(hex('00 00 01 00'))).toEqual({ type: 'step-1', stateVector: hex('00') })
    expect(decodeMessage(hex('00 01 02 0000'))).toEqual({ type: 'step-2', update: hex('0000') })
    expect(decodeMessage(hex('00 02 02 0000'))).toEqual({ type: 'update', update: hex('0000') })
  })

  test('awareness, and the keepalive that has no entries', () => {
    expect(decodeMessage(hex('01 01 00'))).toEqual({ type: 'awareness', entries: [] })
    expect(decodeMessage(hex('01 07 01 b909 00 02 7b7d'))).toEqual({
      type: 'awareness',
      entries: [{ clientId: 1209, clock: 0, state: {} }],
    })
    expect(decodeMessage(hex('03'))).toEqual({ type: 'query-awareness' })
  })

  test('permission denied', () => {
    expect(decodeMessage(hex(`02 00 02 ${ascii('no')}`))).toEqual({ type: 'denied', reason: 'no' })
  })

  test('ack, digest and notice', () => {
    expect(decodeMessage(hex('71 03 ac02'))).toEqual({ type: 'ack', frames: 3, seq: 300 })
    expect(decodeMessage(hex(`72 01 00 ${'ab'.repeat(32)}`))).toEqual({
      type: 'digest',
      stateVector: hex('00'),
      sha256: hex('ab'.repeat(32)),
    })
    const notice = '{"kind":"refused","reason":"too large","frame":2,"limit":"bytes","other":1}'
    expect(decodeMessage(hex(`73 ${notice.length.toString(16)} ${ascii(notice)}`))).toEqual({
      type: 'notice',
      notice: { kind: 'refused', reason: 'too large', frame: 2, limit: 'bytes' },
    })
    expect(decodeMessage(hex(`73 0c ${ascii('{"kind":"x"}')}`))).toEqual({ type: 'notice', notice: null })
  })
})

describe('what we refuse', () => {
  const refused: [string, string][] = [
    ['nothing', ''],
    ['an unknown type', '7f 00'],
    ['an unknown sync step', '00 03 00'],
    ['an unknown auth message', '02 01 00'],
    ['a payload that is cut short', '00 02 05 0000'],
    ['bytes after the end', '00 02 02 0000 00'],
    ['a number that is cut short', '71 80'],
    ['a number of nine bytes', '71 808080808080808000 00'],
    ['a number beyond 2^53', '71 ffffffffffffff7f 00'],
    ['text that is not UTF-8', '02 00 01 ff'],
    ['an awareness message with bytes after its end', '01 02 00 00'],
    ['an absurd count of awareness states', '01 05 ffffffff0f'],
    ['an awareness state that is no JSON', '01 05 01 01 01 01 7b'],
    ['an awareness state that is no object', '01 05 01 01 01 01 35'],
    ['a digest of 31 bytes', `72 01 00 ${'ab'.repeat(31)}`],
    ['a notice of no kind', `73 02 ${ascii('{}')}`],
    ['a notice that is no object', '73 02 5b5d'],
  ]
  test.each(refused)('%s', (_what, bytes) => {
    expect(() => decodeMessage(hex(bytes))).toThrow(MalformedMessage)
  })
})
