DROP TABLE audit_label, audit_item, judge_reply, judge_run;
