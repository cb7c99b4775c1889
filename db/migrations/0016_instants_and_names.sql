DROP INDEX "appointments_date_idx";--> statement-breakpoint
CREATE INDEX "appointments_date_idx" ON "appointments" USING btree ("date",lower("period"),"id") WHERE archived_at is null;--> statement-breakpoint
ALTER TABLE "appointments" DROP COLUMN "version";--> statement-breakpoint
DROP TRIGGER count_version ON appointments;
--> statement-breakpoint
-- Shown, and so to change with the row, and only with it, whoever writes to it.
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER touch BEFORE UPDATE ON appointments
  FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION touch();
--> statement-breakpoint
-- When a slot is over that passes as `period`: as long after its start as its label says, which the period outlasts where
-- the clocks go back over it. A start that the clocks skip, since the zone's rules have changed, is read by the time before.
CREATE FUNCTION slot_end(period tsrange, zone text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT lower(period) AT TIME ZONE zone + CASE
    WHEN lower(period) AT TIME ZONE zone AT TIME ZONE zone = lower(period)
      THEN least(upper(period) - lower(period), upper(period) AT TIME ZONE zone - lower(period) AT TIME ZONE zone)
    ELSE upper(period) - lower(period) END
$$;
