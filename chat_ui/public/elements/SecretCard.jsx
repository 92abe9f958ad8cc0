import { useState } from "react";
import { KeyRound, Copy, Check } from "lucide-react";

export default function SecretCard() {
  const t = props.labels;
  const [copied, setCopied] = useState(false);
  const copy = () => navigator.clipboard?.writeText(props.secret).then(() => setCopied(true));
  return (
    <section className="ht-card">
      <header className="ht-head"><KeyRound size={18} className="ht-accent" /><strong className="ht-name">{props.title}</strong>{props.scope ? <span className="ht-badge">{props.scope}</span> : null}</header>
      <p className="ht-secret"><code>{props.secret}</code><button type="button" className="ht-button" onClick={copy}>{copied ? <Check size={14} /> : <Copy size={14} />} {copied ? t.copied : t.copy}</button></p>
      <p className="ht-warn">{t.once}</p>
    </section>
  );
}
