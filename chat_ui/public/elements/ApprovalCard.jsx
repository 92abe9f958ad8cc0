import { useEffect, useState } from "react";
import { ShieldAlert, Coins, Check, X, Undo2, LoaderCircle } from "lucide-react";

const POLL_MS = 8000;
// The page draws its cards anew whenever a turn begins or ends, so also between a click and its answer: what is known is kept beside them.
const KNOWN = (window.hubtalkApprovals ??= new Map());
const NEWS = "hubtalk-approval";

function show(value, t) {
  if (value === null || value === undefined || value === "") return t.none;
  if (Array.isArray(value)) return value.length ? value.map((v) => show(v, t)).join(", ") : t.none;
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

export default function ApprovalCard() {
  const t = props.labels;
  const id = props.approval_id;
  const [, redraw] = useState(0);
  useEffect(() => {
    const hear = (event) => { if (event.detail === id) redraw((count) => count + 1); };
    window.addEventListener(NEWS, hear);
    hear({ detail: id });
    return () => window.removeEventListener(NEWS, hear);
  }, [id]);
  const { status, busy, error } = { status: props.status, busy: "", error: "", ...KNOWN.get(id) };
  const learn = (news) => {
    KNOWN.set(id, { ...KNOWN.get(id), ...news });
    window.dispatchEvent(new CustomEvent(NEWS, { detail: id }));
  };
  useEffect(() => { if (props.status !== "pending") learn({ status: props.status }); }, [props.status]);

  const waiting = status === "pending";
  useEffect(() => {
    if (!waiting) return undefined;
    const ask = async () => {
      if (document.hidden) return;
      const answer = await callAction({ name: "approval_status", payload: { approval_id: id } });
      if (answer?.response?.status) learn({ status: answer.response.status });
    };
    const timer = setInterval(() => ask().catch(() => {}), POLL_MS);
    return () => clearInterval(timer);
  }, [waiting]);

  const decide = async (decision) => {
    learn({ busy: decision, error: "" });
    try {
      const answer = await callAction({ name: "decide_approval", payload: { approval_id: id, decision } });
      const { status: found, error: problem } = answer?.response || {};
      learn({ busy: "", error: problem || "", ...(found ? { status: found } : {}) });
    } catch (_) {
      learn({ busy: "", error: t.failed_to_send });
    }
  };

  const Icon = props.effect === "spend" ? Coins : ShieldAlert;
  return (
    <section className={`ht-card ht-approval ht-${status}`} data-approval={id} data-status={status}>
      <header className="ht-head">
        <Icon size={18} className={waiting ? "ht-warn" : "ht-muted"} />
        <strong className={waiting ? "" : `ht-status-${status}`}>{!waiting ? t["status." + status] || status : props.effect === "spend" ? t.title_spend : t.title}</strong>
        <code className="ht-tool">{props.tool}</code>
      </header>
      {props.act ? <p className="ht-act">{props.act}</p> : null}
      {props.changes.length ? (
        <div className="ht-scroll">
          <table className="ht-changes">
            <caption>{t.changes}</caption>
            <tbody>
              {props.changes.map((change, index) => (
                <tr key={index}>
                  <th scope="row">{change.label}</th>
                  <td><del>{show(change.before, t)}</del></td>
                  <td className="ht-arrow">→</td>
                  <td><ins>{show(change.after, t)}</ins></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      {props.consequences.length ? (
        <ul className="ht-consequences" aria-label={t.consequences}>{props.consequences.map((line) => <li key={line}>{line}</li>)}</ul>
      ) : null}
      {waiting ? (
        <footer className="ht-actions">
          <button type="button" className="ht-button ht-danger" disabled={!!busy} onClick={() => decide("approve")} data-testid="approve">
            {busy === "approve" ? <LoaderCircle size={16} className="ht-spin" /> : <Check size={16} />} {busy === "approve" ? t.working : t.approve}
          </button>
          <button type="button" className="ht-button" disabled={!!busy} onClick={() => decide("reject")} data-testid="reject">
            {busy === "reject" ? <LoaderCircle size={16} className="ht-spin" /> : <X size={16} />} {t.reject}
          </button>
        </footer>
      ) : null}
      {waiting ? (
        <p className="ht-muted ht-small">
          {props.reversible ? <><Undo2 size={14} /> {t.reversible} · </> : null}
          {t.expires.replace("{time}", new Date(props.expires_at).toLocaleString(props.lang, { dateStyle: "medium", timeStyle: "short" }))}
        </p>
      ) : null}
      {error ? <p className="ht-error" role="alert">{error}</p> : null}
    </section>
  );
}
