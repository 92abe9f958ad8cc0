import { Cpu, TriangleAlert } from "lucide-react";

export default function ModelCard() {
  const t = props.labels;
  return (
    <section className="ht-card">
      <header className="ht-head"><Cpu size={18} className="ht-accent" /><strong className="ht-name">{props.title}</strong>{props.format ? <span className="ht-badge">{props.format}</span> : null}</header>
      <div className="ht-stats">
        {props.stats.map((stat) => <div key={stat.key}><span className="ht-muted">{t[stat.key] || stat.key}</span><b title={stat.exact}>{stat.value}{stat.key === "context_length" ? ` ${t.tokens}` : ""}</b></div>)}
      </div>
      {props.dtypes.length ? (
        <div className="ht-bar" role="img" aria-label={`${t.dtypes}: ${props.dtypes.map((d) => `${d.name} ${d.share}%`).join(", ")}`}>
          {props.dtypes.map((dtype, index) => <span key={dtype.name} className={`ht-seg-${index % 5}`} style={{ flexGrow: Math.max(dtype.share, 1) }} title={`${dtype.name} ${dtype.share}%`}>{dtype.share >= 12 ? dtype.name : ""}</span>)}
        </div>
      ) : null}
      {props.files.length ? (
        <dl className="ht-facts ht-one">{props.files.map((file) => <div key={file.path}><dt className="ht-mono">{file.path}</dt><dd>{file.size_text}{file.safe === false ? <span className="ht-warn"> <TriangleAlert size={13} /> {t.unsafe}</span> : null}</dd></div>)}</dl>
      ) : null}
      {props.warnings.length ? <ul className="ht-muted">{props.warnings.map((warning) => <li key={warning}>{warning}</li>)}</ul> : null}
    </section>
  );
}
