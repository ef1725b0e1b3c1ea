// A TCP line that begins with an HTTP request and goes on as a WebSocket (RFC 6455) or as an event stream. All lines
// read into one buffer, since what comes in is looked at before anything else is read: memory and copies are what limits
// a generator with thousands of lines.
import crypto from 'node:crypto'
import net from 'node:net'
import { now } from './meter.mjs'

const SHARED = Buffer.allocUnsafeSlow(2 ** 18)
const NOTHING = Buffer.alloc(0)

/**
 * When something was read last, whether anything was since somebody set it back, and how many lines have ended. Clocks
 * are looked at once a read: a look for each keystroke would take a fifth of the time that counting takes.
 */
export const turn = { time: 0, worked: false, ended: 0 }

/** One line. Who derives from it has `take(bytes, from, to)`, which gives how far it has understood, and `opened()`. */
export class Line {
  constructor(url, head) {
    const { hostname, port } = new URL(url)
    this.rest = NOTHING
    this.isOpen = false
    /** Why it ended, once it has. */
    this.closed = null
    this.onEnd = null
    this.bytes = 0
    this.head = head
    const callback = (size, bytes) => {
      this.#receive(bytes, size)
      return true
    }
    this.socket = net.connect({ host: hostname, port: Number(port), onread: { buffer: SHARED, callback } })
    this.socket.setNoDelay(true)
    this.socket.on('connect', () => this.socket.write(head))
    this.socket.on('error', error => this.ended(error.code ?? error.message))
    this.socket.on('close', () => this.ended('closed'))
  }

  write(bytes) {
    if (this.closed === null) this.socket.write(bytes)
  }

  /** Note why it ended; only the first reason counts. */
  ended(why) {
    if (this.closed !== null) return
    this.closed = why
    turn.ended++
    this.onEnd?.(why)
  }

  leave() {
    this.ended('left')
    this.socket.destroy()
  }

  #receive(bytes, size) {
    turn.worked = true
    turn.time = now()
    this.bytes += size
    let all = bytes
    let end = size
    if (this.rest.length) {
      all = Buffer.concat([this.rest, bytes.subarray(0, size)])
      end = all.length
    }
    const done = this.isOpen ? this.take(all, 0, end) : this.#begin(all, end)
    this.rest = done < end ? Buffer.from(all.subarray(done, end)) : NOTHING
  }

  #begin(all, end) {
    const blank = all.subarray(0, end).indexOf('\r\n\r\n')
    if (blank < 0) return 0
    const status = all.toString('latin1', 9, 12)
    if (status !== this.wanted) {
      this.ended(`HTTP ${status}`)
      this.socket.destroy()
      return end
    }
    this.isOpen = true
    this.opened()
    return this.take(all, blank + 4, end)
  }
}

const [TEXT, BINARY, CLOSE, PING, PONG] = [1, 2, 8, 9, 10]

/** A client's frame: bytes under a mask of their own, as the RFC wants it. */
export const frame = (payload, opcode = BINARY) => {
  const { length } = payload
  const header = length < 126 ? 2 : length < 2 ** 16 ? 4 : 10
  const made = Buffer.allocUnsafe(header + 4 + length)
  made[0] = 0x80 | opcode
  made[1] = 0x80 | (header === 2 ? length : header === 4 ? 126 : 127)
  if (header === 4) made.writeUInt16BE(length, 2)
  if (header === 10) made.writeBigUInt64BE(BigInt(length), 2)
  crypto.randomFillSync(made, header, 4)
  for (let i = 0; i < length; i++) made[header + 4 + i] = payload[i] ^ made[header + (i & 3)]
  return made
}

// The payload of the frame whose header was read last.
let start = 0
let size = 0
/** Whether the header of a frame is here as a whole. */
const readHeader = (all, at, end) => {
  if (end - at < 2) return false
  size = all[at + 1] & 127
  start = at + (size < 126 ? 2 : size === 126 ? 4 : 10)
  if (start > end) return false
  if (size === 126) size = all.readUInt16BE(at + 2)
  else if (size === 127) size = Number(all.readBigUInt64BE(at + 2))
  return true
}

/** A WebSocket. Who derives from it has `heard(bytes, from, to)` for a whole binary message. */
export class WebSocketLine extends Line {
  constructor(url) {
    const { host, pathname, search } = new URL(url)
    const key = crypto.randomBytes(16).toString('base64')
    super(
      url,
      `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    )
    this.wanted = '101'
    this.frames = 0
    this.parts = []
  }

  take(all, from, end) {
    let at = from
    while (readHeader(all, at, end) && start + size <= end) {
      const next = start + size
      this.#frame(all, at, start, next)
      at = next
    }
    return at
  }

  #frame(all, at, from, end) {
    const opcode = all[at] & 15
    if (opcode === BINARY && all[at] & 0x80) {
      this.frames++
      this.heard(all, from, end)
    } else if (opcode <= BINARY && opcode !== TEXT) this.#part(all, at, from, end)
    else if (opcode === PING) this.write(frame(all.subarray(from, end), PONG))
    else if (opcode === CLOSE) {
      this.ended(
        `close ${end - from >= 2 ? all.readUInt16BE(from) : ''} ${all.toString('utf8', from + 2, end)}`,
      )
      this.socket.end()
    }
  }

  #part(all, at, from, end) {
    this.parts.push(Buffer.from(all.subarray(from, end)))
    if (!(all[at] & 0x80)) return
    const whole = Buffer.concat(this.parts)
    this.parts = []
    this.frames++
    this.heard(whole, 0, whole.length)
  }
}
