import { ChartLine } from "lucide-react";

const WIDTH = 560, HEIGHT = 190, LEFT = 46, RIGHT = 10, TOP = 10, BOTTOM = 24;

function number(value) {
  return new Intl.NumberFormat(props.lang, { maximumSignificantDigits: 3 }).format(value);
}

export default function LineChart() {
  const t = props.labels, points = props.points;
  const xs = points.map((point) => point[0]), ys = points.map((point) => point[1]);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const x = (value) => LEFT + (right > left ? (value - left) / (right - left) : 0.5) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + (high > low ? (high - value) / (high - low) : 0.5) * (HEIGHT - TOP - BOTTOM);
  const line = points.map((point) => `${x(point[0]).toFixed(1)},${y(point[1]).toFixed(1)}`).join(" ");
  const last = points[points.length - 1];
  return (
    <section className="ht-card">
      <header className="ht-head"><ChartLine size={17} className="ht-accent" /><strong className="ht-name">{props.title}</strong><span className="ht-badge">{t.last.replace("{n}", number(last[1]))}</span></header>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${props.title}: ${number(ys[0])} → ${number(last[1])}`} style={{ width: "100%", height: "auto" }}>
        {[low, (low + high) / 2, high].map((value, index) => (
          <g key={index}>
            <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(value)} y2={y(value)} stroke="var(--ht-line)" />
            <text x={LEFT - 6} y={y(value) + 4} textAnchor="end" fontSize="11" fill="currentColor" opacity="0.7">{number(value)}</text>
          </g>
        ))}
        <polyline points={line} fill="none" stroke="var(--ht-accent)" strokeWidth="2" strokeLinejoin="round" />
        <circle cx={x(last[0])} cy={y(last[1])} r="3.5" fill="var(--ht-accent)" />
        <text x={LEFT} y={HEIGHT - 6} fontSize="11" fill="currentColor" opacity="0.7">{number(left)}</text>
        <text x={WIDTH - RIGHT} y={HEIGHT - 6} textAnchor="end" fontSize="11" fill="currentColor" opacity="0.7">{t.step.replace("{n}", number(right))}</text>
      </svg>
    </section>
  );
}
