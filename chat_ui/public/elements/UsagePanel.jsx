import { useState } from "react";
import { ChartColumn } from "lucide-react";

const WIDTH = 600, HEIGHT = 180, LEFT = 52, RIGHT = 8, TOP = 10, BOTTOM = 24;

function number(value) {
  return new Intl.NumberFormat(props.lang, value !== 0 && Math.abs(value) < 1 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 1, notation: Math.abs(value) >= 100000 ? "compact" : "standard" }).format(value);
}

function moment(text) {
  const long = props.step === "day" || props.step === "month";
  return new Date(text).toLocaleString(props.lang, long ? { dateStyle: "medium", timeZone: "UTC" } : { dateStyle: "short", timeStyle: "short", timeZone: "UTC" });
}

function Bars({ measure }) {
  const begin = Date.parse(props.begin), end = Math.max(Date.parse(props.end), begin + 1);
  const high = Math.max(...props.points.map((point) => point[measure.key] || 0), 0) || 1;
  const x = (at) => LEFT + Math.min(1, Math.max(0, (at - begin) / (end - begin))) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + (1 - value / high) * (HEIGHT - TOP - BOTTOM);
  const wide = Math.max(1.5, (props.step_s * 1000 / (end - begin)) * (WIDTH - LEFT - RIGHT) - 1);
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${measure.label}: ${number(high)}`} style={{ width: "100%", height: "auto" }}>
      {[0, high / 2, high].map((value) => (
        <g key={value}>
          <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(value)} y2={y(value)} stroke="var(--ht-line)" />
          <text x={LEFT - 6} y={y(value) + 4} textAnchor="end" fontSize="11" fill="currentColor" opacity="0.7">{number(value)}</text>
        </g>
      ))}
      {props.points.map((point) => {
        const value = point[measure.key] || 0;
        return <rect key={point.at} x={x(Date.parse(point.at))} y={y(value)} width={wide} height={Math.max(0, y(0) - y(value))} fill="var(--ht-accent)"><title>{`${moment(point.at)}: ${number(value)} ${measure.unit || ""}`}</title></rect>;
      })}
      <text x={LEFT} y={HEIGHT - 6} fontSize="11" fill="currentColor" opacity="0.7">{moment(props.begin)}</text>
      <text x={WIDTH - RIGHT} y={HEIGHT - 6} textAnchor="end" fontSize="11" fill="currentColor" opacity="0.7">{moment(props.end)}</text>
    </svg>
  );
}

export default function UsagePanel() {
  const t = props.labels;
  const [chosen, choose] = useState(0);
  const measure = props.measures[Math.min(chosen, props.measures.length - 1)];
  return (
    <section className="ht-card">
      <header className="ht-head"><ChartColumn size={17} className="ht-accent" /><strong className="ht-name">{props.title || t.title}</strong><span className="ht-badge">{props.period}</span></header>
      <div className="ht-stats">
        {props.stats.map((stat) => <div key={stat.label}><span className="ht-muted">{stat.label}</span><b>{stat.value}</b></div>)}
      </div>
      {props.budgets.map((budget) => (
        <div key={budget.label}>
          <div className="ht-head ht-small"><span>{budget.label}</span><span className="ht-push">{budget.text}</span></div>
          <progress value={budget.share} max="1" style={{ width: "100%", accentColor: budget.share >= 1 ? "var(--ht-bad)" : budget.share >= 0.8 ? "var(--ht-warn)" : "var(--ht-ok)" }} aria-label={`${budget.label}: ${budget.text}`} />
        </div>
      ))}
      {measure && props.points.length ? (
        <>
          <div className="ht-choices" role="group" aria-label={t.measure}>
            {props.measures.map((one, index) => <button key={one.key} type="button" className={`ht-button ht-small${index === chosen ? " ht-picked" : ""}`} aria-pressed={index === chosen} onClick={() => choose(index)}>{one.label}</button>)}
          </div>
          <Bars measure={measure} />
        </>
      ) : <p className="ht-muted">{t.nothing}</p>}
    </section>
  );
}
