import { useState } from "react";
import { FileText, Copy, Check } from "lucide-react";

const FEW = 24;

export default function FileView() {
  const t = props.labels;
  const [all, setAll] = useState(false);
  const [copied, setCopied] = useState(false);
  const text = (props.content ?? "").replace(/\n$/, "");
  const lines = text.split("\n");
  const shown = all ? lines : lines.slice(0, FEW);
  const copy = () => navigator.clipboard?.writeText(props.content).then(() => { setCopied(true); setTimeout(() => setCopied(false), 1500); });
  return (
    <section className="ht-card ht-flush">
      <header className="ht-head ht-pad">
        <FileText size={16} className="ht-accent" /><strong className="ht-mono ht-name">{props.path}</strong>
        {props.revision ? <span className="ht-badge ht-mono">{props.revision}</span> : null}
        <span className="ht-muted ht-push">{props.size_text}</span>
        {props.binary ? null : <button type="button" className="ht-link" onClick={copy}>{copied ? <Check size={14} /> : <Copy size={14} />} {copied ? t.copied : t.copy}</button>}
      </header>
      {props.binary ? <p className="ht-muted ht-pad">{t.binary}</p> : (
        <div className="ht-scroll ht-code-box"><table className="ht-code"><tbody>
          {shown.map((line, index) => <tr key={index}><td className="ht-lineno">{index + 1}</td><td><pre>{line}</pre></td></tr>)}
        </tbody></table></div>
      )}
      <footer className="ht-foot ht-muted">
        {props.binary ? "" : t.lines.replace("{n}", lines.length)}{props.truncated ? ` · ${t.truncated}` : ""}
        {lines.length > FEW ? <button type="button" className="ht-link" onClick={() => setAll(!all)}>{all ? t.show_less : t.show_all.replace("{n}", lines.length)}</button> : null}
      </footer>
    </section>
  );
}
