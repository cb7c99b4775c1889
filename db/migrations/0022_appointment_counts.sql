CREATE TYPE "public"."counted_by" AS ENUM('all', 'doctor', 'time', 'day', 'block');--> statement-breakpoint
CREATE TABLE "appointment_count_changes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "appointment_count_changes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"block" bigint NOT NULL,
	"doctor_id" bigint NOT NULL,
	"available_time_id" bigint NOT NULL,
	"date" date NOT NULL,
	"status" "appointment_status" NOT NULL,
	"type" "appointment_type" NOT NULL,
	"is_cancelled" boolean NOT NULL,
	"attendance" varchar(10) NOT NULL,
	"total" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "appointment_counts" (
	"by" "counted_by" NOT NULL,
	"key" bigint NOT NULL,
	"status" "appointment_status" NOT NULL,
	"type" "appointment_type" NOT NULL,
	"is_cancelled" boolean NOT NULL,
	"attendance" varchar(10) NOT NULL,
	"total" integer NOT NULL,
	CONSTRAINT "appointment_counts_by_key_status_type_is_cancelled_attendance_pk" PRIMARY KEY("by","key","status","type","is_cancelled","attendance")
);
--> statement-breakpoint
DROP INDEX "appointments_available_time_id_idx";--> statement-breakpoint
CREATE INDEX "appointments_status_idx" ON "appointments" USING btree ("status","id") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "appointments_cancelled_idx" ON "appointments" USING btree ("id") WHERE is_cancelled and archived_at is null;--> statement-breakpoint
CREATE INDEX "appointments_latest_idx" ON "appointments" USING btree ("date" DESC NULLS FIRST,lower("period") desc nulls last,"id") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "appointments_available_time_id_idx" ON "appointments" USING btree ("available_time_id","id");--> statement-breakpoint
-- Adds up the changes. Only one transaction does so at a time, and nobody waits for it: what it locks is read by all and
-- written by itself. In an older snapshot than that of its statement it would meet rows that are gone.
CREATE FUNCTION add_up_appointment_counts() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed'
    OR NOT pg_try_advisory_xact_lock('appointment_counts'::regclass::oid::int, 0) THEN
    RETURN;
  END IF;
  WITH gone AS (DELETE FROM appointment_count_changes RETURNING *)
  INSERT INTO appointment_counts AS present (by, key, status, type, is_cancelled, attendance, total)
  SELECT of.by, of.key, status, type, is_cancelled, attendance, sum(total)
  FROM gone CROSS JOIN LATERAL (VALUES
    ('all'::counted_by, 0), ('doctor', doctor_id), ('time', available_time_id), ('day', date - date '2000-01-01'),
    ('block', block)
  ) AS of (by, key)
  GROUP BY 1, 2, 3, 4, 5, 6
  HAVING sum(total) <> 0
  ON CONFLICT (by, key, status, type, is_cancelled, attendance) DO UPDATE SET total = present.total + excluded.total;
END $$;
--> statement-breakpoint
CREATE FUNCTION count_appointments() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  is_due boolean;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM appointment_counts;
    DELETE FROM appointment_count_changes;
    RETURN NULL;
  ELSIF TG_OP = 'INSERT' THEN
    WITH added AS (
      INSERT INTO appointment_count_changes
        (block, doctor_id, available_time_id, date, status, type, is_cancelled, attendance, total)
      SELECT id / 4096, doctor_id, available_time_id, date, status, type, is_cancelled,
        coalesce(attendance::text, 'none'), count(*)
      FROM rows_after WHERE archived_at IS NULL GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
      RETURNING id)
    SELECT bool_or(id % 64 = 0) INTO is_due FROM added;
  ELSIF TG_OP = 'DELETE' THEN
    WITH added AS (
      INSERT INTO appointment_count_changes
        (block, doctor_id, available_time_id, date, status, type, is_cancelled, attendance, total)
      SELECT id / 4096, doctor_id, available_time_id, date, status, type, is_cancelled,
        coalesce(attendance::text, 'none'), -count(*)
      FROM rows_before WHERE archived_at IS NULL GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
      RETURNING id)
    SELECT bool_or(id % 64 = 0) INTO is_due FROM added;
  ELSE
    WITH added AS (
      INSERT INTO appointment_count_changes
        (block, doctor_id, available_time_id, date, status, type, is_cancelled, attendance, total)
      SELECT id / 4096, doctor_id, available_time_id, date, status, type, is_cancelled,
        coalesce(attendance::text, 'none'), sum(change)
      FROM (
        SELECT *, 1 AS change FROM rows_after WHERE archived_at IS NULL
        UNION ALL SELECT *, -1 FROM rows_before WHERE archived_at IS NULL
      ) AS changed
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
      HAVING sum(change) <> 0
      RETURNING id)
    SELECT bool_or(id % 64 = 0) INTO is_due FROM added;
  END IF;
  IF is_due THEN
    PERFORM add_up_appointment_counts();
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
-- Not of rows that a backup brings, which has the counts too: pg_dump and pg_restore have an empty search_path.
CREATE TRIGGER count_inserted AFTER INSERT ON appointments REFERENCING NEW TABLE AS rows_after
  FOR EACH STATEMENT WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION count_appointments();
--> statement-breakpoint
CREATE TRIGGER count_updated AFTER UPDATE ON appointments
  REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
  FOR EACH STATEMENT EXECUTE FUNCTION count_appointments();
--> statement-breakpoint
CREATE TRIGGER count_deleted AFTER DELETE ON appointments REFERENCING OLD TABLE AS rows_before
  FOR EACH STATEMENT EXECUTE FUNCTION count_appointments();
--> statement-breakpoint
CREATE TRIGGER count_truncated AFTER TRUNCATE ON appointments
  FOR EACH STATEMENT EXECUTE FUNCTION count_appointments();
--> statement-breakpoint
INSERT INTO appointment_counts (by, key, status, type, is_cancelled, attendance, total)
SELECT of.by, of.key, status, type, is_cancelled, coalesce(attendance::text, 'none'), count(*)
FROM appointments CROSS JOIN LATERAL (VALUES
  ('all'::counted_by, 0), ('doctor', doctor_id), ('time', available_time_id), ('day', date - date '2000-01-01'),
  ('block', id / 4096)
) AS of (by, key)
WHERE archived_at IS NULL
GROUP BY 1, 2, 3, 4, 5, 6;
