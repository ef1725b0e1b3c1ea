import { Turn } from '../sync/turn'
import { Feed, type Listener } from './feed'

/** What the window that listens tells the others of the same document. */
type Word =
  | { call: keyof Listener; argument?: unknown; position: string }
  /** A window has come and does not know how things stand. */
  | { call: 'who' }

/**
 * Follows a feed for all windows of this browser that show the document: over HTTP/1.1 a browser opens six connections
 * to a server, and each stream takes one. The window that is looked at listens; the others hear it from there.
 */
export class SharedFeed {
  private channel: BroadcastChannel | null = null
  private readonly turn: Turn
  private feed: Feed | null = null
  private state: 'live' | 'connecting' | 'gone' = 'connecting'

  constructor(
    private readonly address: string,
    private position: string,
    private readonly listener: Listener,
  ) {
    const name = `coscribe ${address}`
    this.turn = new Turn(
      name,
      signal => this.listen(signal),
      () => this.leaveChannel(),
    )
    try {
      this.channel = new BroadcastChannel(name)
    } catch {
      return // this browser lets windows not talk to each other
    }
    this.channel.onmessage = ({ data }) => this.told(data as Word)
  }

  start(): void {
    if (!this.channel) {
      this.turn.standAlone()
      return
    }
    this.turn.start()
    // What has come since this page was made; whoever listens may be ahead of it.
    void new Feed(this.address, this.position, this.listener).catchUp()
    this.channel.postMessage({ call: 'who' } satisfies Word)
  }

  /** The network is back, or the window is looked at again. */
  wake(): void {
    this.feed?.wake()
  }

  stop(): void {
    this.turn.stop()
    this.leaveChannel()
  }

  private leaveChannel(): void {
    this.channel?.close()
    this.channel = null
  }

  private listen(signal: AbortSignal): void {
    const feed = new Feed(this.address, this.position, {
      onText: () => this.tell('onText'),
      onTitle: title => this.tell('onTitle', title),
      onDeed: deed => this.tell('onDeed', deed),
      onPresence: change => this.tell('onPresence', change),
      onState: state => this.tell('onState', state),
    })
    this.feed = feed
    // Another window has taken it.
    signal.addEventListener('abort', () => {
      feed.stop()
      if (this.feed === feed) this.feed = null
    })
    feed.start()
  }

  private tell(call: keyof Listener, argument?: unknown): void {
    this.hear(call, argument)
    this.position = this.feed?.position ?? this.position
    this.channel?.postMessage({ call, argument, position: this.position } satisfies Word)
  }

  private told(word: Word): void {
    if (word.call !== 'who') {
      this.position = word.position
      this.hear(word.call, word.argument)
    } else if (this.feed) this.tell('onState', this.state)
  }

  private hear(call: keyof Listener, argument: unknown): void {
    if (call === 'onState') this.state = argument as typeof this.state
    ;(this.listener[call] as (argument: unknown) => void)(argument)
  }
}
