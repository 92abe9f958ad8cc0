import { Paperclip } from "lucide-react";

export default function Attachments() {
  return (
    <p className="ht-tags ht-end">
      {props.files.map((file, index) => <span key={index} className="ht-tag" title={file.name}><Paperclip size={13} /> <span className="ht-clip">{file.name}</span> <span className="ht-muted">{file.size_text}</span></span>)}
    </p>
  );
}
