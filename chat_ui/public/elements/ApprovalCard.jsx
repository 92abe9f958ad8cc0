import { useEffect, useState } from "react";
import { ShieldAlert, Coins, Check, X, Undo2, LoaderCircle } from "lucide-react";

const POLL_MS = 8000;

function show(value, t) {
  if (value === null || value === undefined || value === "") return t.none;
  if (Array.isArray(value)) return value.length ? value.map((v) => show(v, t)).join(", ") : t.none;
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

export default function ApprovalCard() {
  const t = props.labels;
  const [status, setStatus] = useState(props.status);
  const [busy, setBusy] = useState("");
  const [error, setError] = useState("");
  useEffect(() => setStatus(props.status), [props.status]);

  const waiting = status === "pending";
  useEffect(() => {
    if (!waiting) return undefined;
    const ask = async () => {
      if (document.hidden) return;
      const answer = await callAction({ name: "approval_status", payload: { approval_id: props.approval_id } });
      if (answer?.response?.status) setStatus(answer.response.status);
    };
    const timer = setInterval(() => ask().catch(() => {}), POLL_MS);
    return () => clearInterval(timer);
  }, [waiting]);

  const decide = async (decision) => {
    setBusy(decision);
    setError("");
    try {
      const answer = await callAction({ name: "decide_approval", payload: { approval_id: props.approval_id, decision } });
      const reply = answer?.response || {};
      if (reply.status) setStatus(reply.status);
      if (reply.error) setError(reply.error);
    } catch (_) {
      setError(t.failed_to_send);
    }
    setBusy("");
  };

  const Icon = props.effect === "spend" ? Coins : ShieldAlert;
  return (
    <section className={`ht-card ht-approval ht-${status}`} data-approval={props.approval_id} data-status={status}>
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
