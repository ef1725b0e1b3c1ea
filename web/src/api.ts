/** The REST surface of the server as the pages use it: typed calls, one error. */

export type Role = 'viewer' | 'commenter' | 'editor' | 'owner'
export type Access = 'restricted' | 'viewer' | 'commenter' | 'editor'

export interface Person {
  id: string
  name: string
  colour: number
}

export interface Me extends Person {
  kind: 'guest' | 'account' | 'token'
}

export interface Doc {
  id: string
  title: string
  /** False when the title follows the text. */
  title_by_hand: boolean
  language: string
  generation: number
  seq: number
  role: Role
  access: Access
  owner: Person | null
  created_at: string
  updated_at: string
  trashed_at: string | null
}

export interface SecretLink {
  id: string
  role: Role
  created_at: string
  expires_at: string | null
  expired: boolean
  /** Only in the answer to its creation: the secret is never shown again. */
  url?: string
}

export interface Listing<T> {
  items: T[]
  next: string | null
}

/** A request that failed. `status` is 0 when the server could not be reached. Source: RFC 9457 problem details. */
export class RequestFailed extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message)
    this.name = 'RequestFailed'
  }
}

export const UNREACHABLE = 'The server cannot be reached. Check your connection and try again.'

/** The error that an answer stands for. */
export const failureOf = async (response: Response): Promise<RequestFailed> => {
  const problem: unknown = await response.json().catch(() => null)
  const detail =
    problem && typeof problem === 'object' && 'detail' in problem && typeof problem.detail === 'string'
      ? problem.detail
      : ''
  const retryAfter = Number(response.headers.get('Retry-After')) || null
  if (response.status === 429) {
    return new RequestFailed(
      429,
      detail || `Too many requests. Try again in ${retryAfter ?? 10} s.`,
      retryAfter,
    )
  }
  return new RequestFailed(response.status, detail || `The server answered ${response.status}.`, retryAfter)
}

const request = async (method: string, path: string, body?: unknown): Promise<Response> => {
  const init: RequestInit = { method, headers: { Accept: 'application/json' } }
  if (body !== undefined) {
    init.headers = { Accept: 'application/json', 'Content-Type': 'application/json' }
    init.body = JSON.stringify(body)
  }
  const response = await fetch(`/api/v1${path}`, init).catch(() => {
    throw new RequestFailed(0, UNREACHABLE)
  })
  if (!response.ok) throw await failureOf(response)
  return response
}

const json = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
  (await (await request(method, path, body)).json()) as T

const at = (id: string): string => `/documents/${encodeURIComponent(id)}`

export interface ListQuery {
  q?: string
  trashed?: boolean
  cursor?: string
}

const listPath = ({ q, trashed, cursor }: ListQuery): string => {
  const params = new URLSearchParams({ limit: '30' })
  if (q) params.set('q', q)
  if (trashed) params.set('trashed', 'true')
  if (cursor) params.set('cursor', cursor)
  return `/documents?${params}`
}

export const api = {
  me: () => json<Me>('GET', '/me'),
  changeMe: (change: { name?: string; colour?: number }) => json<Me>('PATCH', '/me', change),

  documents: (query: ListQuery) => json<Listing<Doc>>('GET', listPath(query)),
  create: (start: { title?: string; text?: string }) => json<Doc>('POST', '/documents', start),
  document: (id: string) => json<Doc>('GET', at(id)),
  change: (id: string, change: { title?: string; access?: Access }) => json<Doc>('PATCH', at(id), change),
  trash: (id: string) => request('DELETE', at(id)).then(() => undefined),
  restore: (id: string) => json<Doc>('POST', `${at(id)}/restore`),
  purge: (id: string) => request('DELETE', `${at(id)}?permanent=true`).then(() => undefined),

  links: (id: string) => json<{ items: SecretLink[] }>('GET', `${at(id)}/links`),
  createLink: (id: string, role: Role) => json<SecretLink>('POST', `${at(id)}/links`, { role }),
  revokeLink: (id: string, linkId: string) =>
    request('DELETE', `${at(id)}/links/${encodeURIComponent(linkId)}`).then(() => undefined),
}

/** What to tell a person about a failed call. */
export const told = (error: unknown): string =>
  error instanceof RequestFailed ? error.message : 'Something went wrong in this page. Reload it to continue.'
