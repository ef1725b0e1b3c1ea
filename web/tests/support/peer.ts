import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import * as encoding from 'lib0/encoding'
import { expect, vi } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import * as Y from 'yjs'
import { encodeAwareness, encodeStep1, encodeStep2, encodeUpdate } from '../../src/sync/wire'

/** The server's side of a conversation, played by hand: it says only what a test tells it to say. */
export class Peer {
  readonly doc = new Y.Doc()
  readonly text = this.doc.getText('content')
  /** Every frame of every connection. */
  heard: Uint8Array[] = []
  connections = 0
  readonly url: string
  #socket: WebSocket | undefined

  private constructor(private readonly server: WebSocketServer) {
    this.doc.clientID = 1
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws/d`
    server.on('connection', socket => {
      this.connections += 1
      this.#socket = socket
      socket.binaryType = 'nodebuffer'
      socket.on('message', data => this.heard.push(new Uint8Array(data as Buffer)))
    })
  }

  static async start(): Promise<Peer> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    return new Peer(server)
  }

  send(frame: Uint8Array): void {
    this.#socket?.send(frame)
  }

  /** The server's half of the first exchange. */
  greet(): void {
    this.send(encodeStep1(Y.encodeStateVector(this.doc)))
    this.send(encodeStep2(Y.encodeStateAsUpdate(this.doc)))
  }

  /** Waits for the first frame that begins with these bytes, counted from the start of `heard`. */
  async hears(...start: number[]): Promise<Uint8Array> {
    const find = () => this.heard.find(frame => start.every((byte, index) => frame[index] === byte))
    await vi.waitFor(() => expect(find()).toBeDefined())
    return find() as Uint8Array
  }

  /** Update and step-2 frames, which are what acks count. */
  get counted(): number {
    return this.heard.filter(([type, step]) => type === 0 && (step === 1 || step === 2)).length
  }

  ack(frames: number, seq = frames): void {
    this.send(Uint8Array.from([0x71, frames, seq]))
  }

  notice(notice: object): void {
    this.send(
      encoding.encode(encoder => {
        encoding.writeVarUint(encoder, 0x73)
        encoding.writeVarString(encoder, JSON.stringify(notice))
      }),
    )
  }

  /** Somebody else writes. */
  insert(at: number, text: string): void {
    this.doc.once('update', (update: Uint8Array) => this.send(encodeUpdate(update)))
    this.text.insert(at, text)
  }

  present(clientId: number, clock: number, state: Record<string, unknown> | null): void {
    this.send(encodeAwareness([{ clientId, clock, state }]))
  }

  digest(stateVector: Uint8Array, sha256: Uint8Array): void {
    this.send(
      encoding.encode(encoder => {
        encoding.writeVarUint(encoder, 0x72)
        encoding.writeVarUint8Array(encoder, stateVector)
        encoding.writeUint8Array(encoder, sha256)
      }),
    )
  }

  hangUp(code = 1012, reason = ''): void {
    this.#socket?.close(code, reason)
  }

  async stop(): Promise<void> {
    for (const client of this.server.clients) client.terminate()
    await new Promise(resolve => this.server.close(resolve))
  }
}
