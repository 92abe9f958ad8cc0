import { useEffect, useState } from "react";
import { Rocket, Play, Square, ScrollText, Send } from "lucide-react";

const POLL_MS = 3000;

export default function DeploymentCard() {
  const t = props.labels;
  const [seen, setSeen] = useState(props);
  const [asking, setAsking] = useState(false);
  const [text, setText] = useState("");
  useEffect(() => setSeen(props), [props.status]);

  const look = async () => {
    const answer = await callAction({ name: "deployment_status", payload: { deployment: props.name } });
    if (answer?.response?.status) setSeen((before) => ({ ...before, ...answer.response }));
  };
  // What is kept with the conversation may be old: look once, and again while it changes by itself.
  useEffect(() => { look().catch(() => {}); }, []);
  useEffect(() => {
    if (!seen.moving) return undefined;
    const timer = setInterval(() => { if (!document.hidden) look().catch(() => {}); }, POLL_MS);
    return () => clearInterval(timer);
  }, [seen.moving]);

  const ask = (event) => {
    event.preventDefault();
    if (!text.trim()) return;
    sendUserMessage(seen.say.try.replace("{text}", () => text.trim()));
    setText("");
  };
  const stopped = seen.status === "stopped";
  return (
    <section className="ht-card" data-deployment={seen.name} data-status={seen.status}>
      <header className="ht-head">
        <Rocket size={18} className="ht-accent" />
        <strong className="ht-name">{seen.name}</strong>
        <span className={`ht-badge ht-runs-${seen.status}`}>{t["status." + seen.status] || seen.status}</span>
      </header>
      <dl className="ht-facts">{seen.facts.map((fact) => <div key={fact.label}><dt>{fact.label}</dt><dd>{fact.value}</dd></div>)}</dl>
      {seen.split.length ? (
        <ul className="ht-consequences" aria-label={t.split}>
          {seen.split.map((one) => <li key={one.revision}>{(one.takes === one.percent ? t.share : t.share_waits).replace("{revision}", one.revision).replace("{percent}", one.percent).replace("{takes}", one.takes)}</li>)}
        </ul>
      ) : null}
      {asking ? (
        <form className="ht-try" onSubmit={ask}>
          <input className="ht-input" value={text} onChange={(event) => setText(event.target.value)} placeholder={t.ask} aria-label={t.ask} data-testid="try-text" autoFocus />
          <button type="submit" className="ht-button" disabled={!text.trim()} data-testid="try-send"><Send size={16} /> {t.send}</button>
        </form>
      ) : null}
      <footer className="ht-actions">
        {seen.tries ? <button type="button" className="ht-button" onClick={() => setAsking(!asking)} aria-expanded={asking} data-testid="try"><Send size={16} /> {t.try}</button> : null}
        <button type="button" className="ht-button" onClick={() => sendUserMessage(seen.say.logs)} data-testid="logs"><ScrollText size={16} /> {t.logs}</button>
        {stopped ? <button type="button" className="ht-button" onClick={() => sendUserMessage(seen.say.start)} data-testid="start"><Play size={16} /> {t.start}</button> : null}
        {stopped ? null : <button type="button" className="ht-button" onClick={() => sendUserMessage(seen.say.stop)} data-testid="stop"><Square size={16} /> {t.stop}</button>}
      </footer>
    </section>
  );
}
