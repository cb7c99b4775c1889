CREATE TABLE "full_days" (
	"date" date NOT NULL,
	"doctor_id" bigint NOT NULL,
	CONSTRAINT "full_days_date_doctor_id_pk" PRIMARY KEY("date","doctor_id")
);
--> statement-breakpoint
ALTER TABLE "full_days" ADD CONSTRAINT "full_days_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "full_days_doctor_id_idx" ON "full_days" USING btree ("doctor_id","date");--> statement-breakpoint
-- A day is full if an appointment stands at the start of each slot that the doctor offers; one that begins before may last
-- into it, by a day at the most, and an hour more where the clocks change. The doctor is locked, so that none is taken back
-- while another fills the day.
CREATE FUNCTION keep_full_days() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND NOT OLD.is_cancelled AND OLD.archived_at IS NULL THEN
    PERFORM FROM doctors WHERE id = OLD.doctor_id FOR NO KEY UPDATE;
    DELETE FROM full_days WHERE doctor_id = OLD.doctor_id AND date BETWEEN OLD.date AND OLD.date + 2;
  END IF;
  IF TG_OP <> 'DELETE' AND NOT NEW.is_cancelled AND NEW.archived_at IS NULL THEN
    INSERT INTO full_days (date, doctor_id)
    WITH taken AS MATERIALIZED (
      SELECT period, NULL::bigint AS available_time_id FROM appointments
      WHERE doctor_id = NEW.doctor_id AND period && tsrange(NEW.date, NEW.date + 1) AND NOT is_cancelled AND archived_at IS NULL
      UNION ALL
      SELECT period, available_time_id FROM appointments
      WHERE doctor_id = NEW.doctor_id AND date = NEW.date AND period IS NULL AND NOT is_cancelled AND archived_at IS NULL
    )
    SELECT NEW.date, NEW.doctor_id WHERE NOT EXISTS (
      SELECT FROM doctor_available_times JOIN available_times ON available_times.id = doctor_available_times.available_time_id
      WHERE doctor_id = NEW.doctor_id AND NOT EXISTS (
        SELECT FROM taken WHERE coalesce(
          period @> (NEW.date + make_interval(mins => start_minute)), taken.available_time_id = available_times.id))
    ) ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
-- Not of rows that a backup brings, which has the days too: pg_restore has an empty search_path, and nobody else has.
CREATE TRIGGER keep_full_days_of_new AFTER INSERT ON appointments FOR EACH ROW
  WHEN (NOT NEW.is_cancelled AND NEW.archived_at IS NULL AND current_setting('search_path') <> '')
  EXECUTE FUNCTION keep_full_days();
--> statement-breakpoint
CREATE TRIGGER keep_full_days_of_moved
  AFTER UPDATE OF doctor_id, date, available_time_id, period, is_cancelled, archived_at ON appointments
  FOR EACH ROW WHEN ((OLD.doctor_id, OLD.date, OLD.available_time_id, OLD.period, OLD.is_cancelled, OLD.archived_at IS NULL)
    IS DISTINCT FROM (NEW.doctor_id, NEW.date, NEW.available_time_id, NEW.period, NEW.is_cancelled, NEW.archived_at IS NULL))
  EXECUTE FUNCTION keep_full_days();
--> statement-breakpoint
CREATE TRIGGER keep_full_days_of_deleted AFTER DELETE ON appointments FOR EACH ROW EXECUTE FUNCTION keep_full_days();
--> statement-breakpoint
-- A doctor who offers another slot, or one at another time, has it free.
CREATE FUNCTION open_full_days() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_TABLE_NAME = 'available_times' THEN
    DELETE FROM full_days WHERE doctor_id IN (SELECT doctor_id FROM doctor_available_times WHERE available_time_id = NEW.id);
  ELSE
    PERFORM FROM doctors WHERE id = NEW.doctor_id FOR NO KEY UPDATE;
    DELETE FROM full_days WHERE doctor_id = NEW.doctor_id;
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER open_full_days AFTER INSERT OR UPDATE ON doctor_available_times FOR EACH ROW
  WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION open_full_days();
--> statement-breakpoint
CREATE TRIGGER open_full_days AFTER UPDATE OF start_minute ON available_times FOR EACH ROW
  WHEN (OLD.start_minute IS DISTINCT FROM NEW.start_minute) EXECUTE FUNCTION open_full_days();
--> statement-breakpoint
INSERT INTO full_days (date, doctor_id)
SELECT date, doctor_id FROM appointments
JOIN doctor_available_times USING (doctor_id, available_time_id)
JOIN available_times ON available_times.id = available_time_id
WHERE date >= current_date - 1 AND NOT is_cancelled AND archived_at IS NULL
  AND CASE WHEN start_minute IS NULL THEN period IS NULL ELSE lower(period) = date + make_interval(mins => start_minute) END
GROUP BY date, doctor_id
HAVING count(DISTINCT available_time_id) = (
  SELECT count(*) FROM doctor_available_times AS offered WHERE offered.doctor_id = appointments.doctor_id);
