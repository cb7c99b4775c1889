CREATE TABLE "review_counts" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "review_counts_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"rating" smallint NOT NULL,
	"total" integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX "patients_phone_digits_idx" ON "patients" USING btree ("phone_digits");--> statement-breakpoint
-- As those of appointments in 0022_appointment_counts, but that what has been added up is among the changes.
CREATE FUNCTION count_reviews() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  is_due boolean;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM review_counts;
    RETURN NULL;
  ELSIF TG_OP = 'INSERT' THEN
    WITH added AS (
      INSERT INTO review_counts (rating, total) SELECT rating, count(*) FROM rows_after GROUP BY rating RETURNING id)
    SELECT bool_or(id % 64 = 0) INTO is_due FROM added;
  ELSIF TG_OP = 'DELETE' THEN
    WITH added AS (
      INSERT INTO review_counts (rating, total) SELECT rating, -count(*) FROM rows_before GROUP BY rating RETURNING id)
    SELECT bool_or(id % 64 = 0) INTO is_due FROM added;
  ELSE
    WITH added AS (
      INSERT INTO review_counts (rating, total)
      SELECT rating, sum(change)
      FROM (SELECT rating, 1 AS change FROM rows_after UNION ALL SELECT rating, -1 FROM rows_before) AS changed
      GROUP BY rating HAVING sum(change) <> 0
      RETURNING id)
    SELECT bool_or(id % 64 = 0) INTO is_due FROM added;
  END IF;
  -- Only one transaction adds up at a time, and nobody waits for it. In an older snapshot than that of its statement it
  -- would meet rows that are gone.
  IF is_due AND current_setting('transaction_isolation') = 'read committed'
    AND pg_try_advisory_xact_lock('review_counts'::regclass::oid::int, 0) THEN
    WITH gone AS (DELETE FROM review_counts RETURNING rating, total)
    INSERT INTO review_counts (rating, total)
    SELECT rating, sum(total) FROM gone GROUP BY rating HAVING sum(total) <> 0;
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
-- Not of rows that a backup brings, which has the counts too: pg_dump and pg_restore have an empty search_path.
CREATE TRIGGER count_inserted AFTER INSERT ON reviews REFERENCING NEW TABLE AS rows_after
  FOR EACH STATEMENT WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION count_reviews();
--> statement-breakpoint
CREATE TRIGGER count_updated AFTER UPDATE ON reviews REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
  FOR EACH STATEMENT EXECUTE FUNCTION count_reviews();
--> statement-breakpoint
CREATE TRIGGER count_deleted AFTER DELETE ON reviews REFERENCING OLD TABLE AS rows_before
  FOR EACH STATEMENT EXECUTE FUNCTION count_reviews();
--> statement-breakpoint
CREATE TRIGGER count_truncated AFTER TRUNCATE ON reviews
  FOR EACH STATEMENT EXECUTE FUNCTION count_reviews();
--> statement-breakpoint
INSERT INTO review_counts (rating, total) SELECT rating, count(*) FROM reviews GROUP BY rating;
