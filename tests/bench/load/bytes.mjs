// lib0's variable-length numbers, and which clocks a Yjs update (version 1) holds. Messages are read millions of times a
// second: there is one place that is read from, and nothing is copied.

let buffer = Buffer.alloc(0)
let at = 0

/** The bytes of a number. */
export const uint = number => {
  const found = []
  for (; number > 127; number = Math.floor(number / 128)) found.push((number % 128) | 128)
  return Buffer.from([...found, number])
}
/** Bytes behind their length. */
export const sized = bytes => Buffer.concat([uint(bytes.length), bytes])
/** A text behind its length. */
export const text = string => sized(Buffer.from(string))

/** Read on from there. */
export const readFrom = (bytes, from) => {
  buffer = bytes
  at = from
}
/** Where the next byte is read. */
export const place = () => at
/** The next byte. */
export const readByte = () => buffer[at++]
/** The next number. */
export const readUint = () => {
  let byte = buffer[at++]
  let number = byte & 127
  for (let factor = 128; byte > 127; factor *= 128) {
    byte = buffer[at++]
    number += (byte & 127) * factor
  }
  return number
}
/** The next text. */
export const readText = () => {
  const size = readUint()
  at += size
  return buffer.toString('utf8', at - size, at)
}

const skipSized = () => {
  const size = readUint()
  at += size
}
const skipId = () => {
  readUint()
  readUint()
}
/** UTF-16 units of the next text: bytes that begin a character, and once more where it lies outside the BMP. */
const readUnits = () => {
  const size = readUint()
  let units = size
  for (const end = at + size; at < end; at++) {
    const byte = buffer[at]
    if (byte > 127) {
      if (byte < 192) units--
      else if (byte > 239) units++
    }
  }
  return units
}

const [GC, DELETED, STRING, FORMAT, SKIP] = [0, 1, 4, 6, 10]
const [LEFT, RIGHT, PARENT_KEY] = [0x80, 0x40, 0x20]

/** The length of the next struct, which begins with `info`. */
const readItem = info => {
  if (info & LEFT) skipId()
  if (info & RIGHT) skipId()
  if (!(info & (LEFT | RIGHT))) {
    if (readUint() === 1) skipSized()
    else skipId()
    if (info & PARENT_KEY) skipSized()
  }
  const kind = info & 31
  if (kind === STRING) return readUnits()
  if (kind === DELETED) return readUint()
  if (kind !== FORMAT) throw new Error(`a struct of kind ${kind} in a text`)
  skipSized()
  skipSized()
  return 1
}

/** Tells `take(client, from, to)` each unbroken run of clocks of the next client's structs. */
const readClient = take => {
  let structs = readUint()
  const client = readUint()
  let clock = readUint()
  let from = clock
  for (; structs > 0; structs--) {
    const info = buffer[at++]
    const kind = info & 31
    if (kind === SKIP) {
      if (clock > from) take(client, from, clock)
      from = clock += readUint()
    } else clock += kind === GC ? readUint() : readItem(info)
  }
  if (clock > from) take(client, from, clock)
}

/** Tells `take` the runs of all clients of the update that is read next. */
export const readRuns = take => {
  for (let clients = readUint(); clients > 0; clients--) readClient(take)
}
