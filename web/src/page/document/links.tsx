import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { api, type Role, type SecretLink, told } from '../../api'
import { Icon } from '../icons'
import { copy } from '../take-away'
import { ago, exactly } from '../time'
import { say } from '../toasts'

const roleWords: Record<Role, string> = {
  viewer: 'View link',
  commenter: 'Comment link',
  editor: 'Edit link',
  owner: 'Owner link',
}

/** The one time that the secret address is seen. */
const Fresh = ({ link }: { link: SecretLink }): JSX.Element => {
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.select(), [])
  const address = link.url ?? ''
  return (
    <div class="fresh-link">
      <label class="grow">
        <span class="quiet">Copy it now: the address is shown only this once.</span>
        <input
          class="field"
          readOnly
          value={address}
          ref={field}
          onFocus={event => event.currentTarget.select()}
        />
      </label>
      <button class="button" type="button" onClick={() => void copy(address, 'Link copied')}>
        <Icon name="copy" />
        Copy
      </button>
    </div>
  )
}

const Line = ({ link, revoke }: { link: SecretLink; revoke: () => void }): JSX.Element => (
  <li class="link-line">
    <span class="grow">
      {roleWords[link.role]}
      <span class="quiet" title={exactly(link.created_at)}>
        {' '}
        {link.expired ? 'expired' : `made ${ago(link.created_at)}`}
      </span>
    </span>
    <button
      class="button plain"
      type="button"
      aria-label={`Revoke this ${roleWords[link.role]}`}
      onClick={revoke}
    >
      Revoke
    </button>
  </li>
)

/** The links of a document and what may be done with them. */
const useLinks = (id: string) => {
  const [links, setLinks] = useState<readonly SecretLink[]>([])
  const [fresh, setFresh] = useState<SecretLink | null>(null)
  const [problem, setProblem] = useState('')
  const attempt = async (run: () => Promise<void>): Promise<void> => {
    setProblem('')
    await run().catch((error: unknown) => setProblem(told(error)))
  }
  useEffect(() => {
    void attempt(async () => setLinks((await api.links(id)).items))
  }, [id])
  const create = (role: Role): Promise<void> =>
    attempt(async () => {
      const made = await api.createLink(id, role)
      setFresh(made)
      setLinks(before => [...before, made])
    })
  const revoke = (link: SecretLink): Promise<void> =>
    attempt(async () => {
      await api.revokeLink(id, link.id)
      setLinks(before => before.filter(one => one.id !== link.id))
      setFresh(before => (before?.id === link.id ? null : before))
      say('Link revoked')
    })
  return { links, fresh, problem, create, revoke }
}

const Make = ({ create }: { create: (role: Role) => void }): JSX.Element => (
  <div class="link-make">
    <button class="button" type="button" onClick={() => create('viewer')}>
      <Icon name="read" />
      New view link
    </button>
    <button class="button" type="button" onClick={() => create('editor')}>
      <Icon name="edit" />
      New edit link
    </button>
  </div>
)

/** Secret links: made, listed, revoked. They work whatever general access says. */
export const Links = ({ id }: { id: string }): JSX.Element => {
  const { links, fresh, problem, create, revoke } = useLinks(id)
  return (
    <section class="links" aria-labelledby="links-title">
      <h3 id="links-title">Secret links</h3>
      <p class="quiet">
        A view link opens a page to read along; it never leads to the editor. An edit link lets its holder
        write. Both work until you revoke them, also when access is restricted.
      </p>
      <Make create={role => void create(role)} />
      {fresh && <Fresh key={fresh.id} link={fresh} />}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {links.length > 0 && (
        <ul class="link-list">
          {links.map(link => (
            <Line key={link.id} link={link} revoke={() => void revoke(link)} />
          ))}
        </ul>
      )}
    </section>
  )
}
