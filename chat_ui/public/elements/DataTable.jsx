import { useMemo, useState } from "react";
import { ArrowDown, ArrowUp, Table2 } from "lucide-react";

const FEW = 10;

function cell(value) {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value) && value.every((v) => typeof v !== "object")) return value.join(", ");
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

function shown(value, column) {
  if (column.type === "time" && value) return new Date(value).toLocaleString(props.lang, { dateStyle: "medium", timeStyle: "short" });
  if (typeof value === "boolean") return value ? "✓" : "✗";
  return cell(value);
}

function compare(a, b) {
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), props.lang, { numeric: true });
}

export default function DataTable() {
  const t = props.labels;
  const [sort, setSort] = useState(null);
  const [all, setAll] = useState(false);
  const rows = useMemo(() => {
    if (!sort) return props.rows;
    const sorted = [...props.rows].sort((a, b) => compare(a[sort.index], b[sort.index]));
    return sort.up ? sorted : sorted.reverse();
  }, [sort, props.rows]);
  const visible = all ? rows : rows.slice(0, FEW);
  const click = (index) => setSort(sort && sort.index === index ? (sort.up ? { index, up: false } : null) : { index, up: true });
  const count = props.total !== null && props.total !== undefined && props.total !== props.rows.length
    ? t.of.replace("{n}", props.rows.length).replace("{total}", props.total) : t.rows.replace("{n}", props.rows.length);
  return (
    <section className="ht-card ht-flush">
      {props.title ? <header className="ht-head ht-pad"><Table2 size={16} className="ht-accent" /><strong className="ht-name">{props.title}</strong></header> : null}
      <div className="ht-scroll">
        <table className="ht-table">
          <thead><tr>{props.columns.map((column, index) => (
            <th key={index} scope="col" className={column.numeric ? "ht-right" : ""}>
              <button type="button" onClick={() => click(index)} title={column.type}>
                {column.label || column.name} {sort && sort.index === index ? (sort.up ? <ArrowUp size={12} /> : <ArrowDown size={12} />) : null}
                {column.hint ? <small>{column.hint}</small> : null}
              </button>
            </th>
          ))}</tr></thead>
          <tbody>{visible.map((row, index) => (
            <tr key={index}>{props.columns.map((column, at) => {
              const text = shown(row[at], column);
              return <td key={at} className={column.numeric ? "ht-right" : ""} title={text && text.length > 60 ? text : undefined}>{text === null ? <i className="ht-null">∅</i> : <span className="ht-cell">{text}</span>}</td>;
            })}</tr>
          ))}</tbody>
        </table>
      </div>
      <footer className="ht-foot ht-muted">
        {props.rows.length ? count : t.empty}{props.more ? ` · ${t.more}` : ""}{props.note ? ` · ${props.note}` : ""}
        {props.rows.length > FEW ? <button type="button" className="ht-link" onClick={() => setAll(!all)}>{all ? t.show_less : t.show_all.replace("{n}", props.rows.length)}</button> : null}
      </footer>
    </section>
  );
}
