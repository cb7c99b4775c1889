CREATE TABLE "holds" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "holds_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"token_hash" char(64) NOT NULL,
	"doctor_id" bigint NOT NULL,
	"available_time_id" bigint NOT NULL,
	"date" date NOT NULL,
	"period" "tsrange",
	"user_id" bigint,
	"address_hash" char(64),
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "holds_holder_check" CHECK (num_nonnulls(user_id, address_hash) = 1)
);
--> statement-breakpoint
ALTER TABLE "holds" ADD CONSTRAINT "holds_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "holds" ADD CONSTRAINT "holds_available_time_id_available_times_id_fk" FOREIGN KEY ("available_time_id") REFERENCES "public"."available_times"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "holds" ADD CONSTRAINT "holds_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "holds_token_hash_key" ON "holds" USING btree ("token_hash");--> statement-breakpoint
CREATE UNIQUE INDEX "holds_doctor_label_key" ON "holds" USING btree ("doctor_id","date","available_time_id") WHERE period is null;--> statement-breakpoint
CREATE INDEX "holds_doctor_id_idx" ON "holds" USING btree ("doctor_id","expires_at");--> statement-breakpoint
CREATE INDEX "holds_available_time_id_idx" ON "holds" USING btree ("available_time_id");--> statement-breakpoint
CREATE INDEX "holds_user_id_idx" ON "holds" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "holds_address_hash_idx" ON "holds" USING btree ("address_hash");--> statement-breakpoint
ALTER TABLE "holds" ADD CONSTRAINT "holds_doctor_period_excl"
  EXCLUDE USING gist ("doctor_id" WITH =, "period" WITH &&);
--> statement-breakpoint
-- No constraint spans two tables. Whoever newly takes a time locks the doctor, and so sees what was taken meanwhile; it is
-- refused by the name of the other table's constraint.
CREATE FUNCTION refuse_held_time() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM FROM doctors WHERE id = NEW.doctor_id FOR NO KEY UPDATE;
  IF EXISTS (SELECT FROM holds WHERE doctor_id = NEW.doctor_id AND period && NEW.period) THEN
    RAISE EXCLUSION_VIOLATION USING CONSTRAINT = 'holds_doctor_period_excl';
  ELSIF NEW.period IS NULL AND EXISTS (
    SELECT FROM holds WHERE doctor_id = NEW.doctor_id AND period IS NULL
      AND date = NEW.date AND available_time_id = NEW.available_time_id
  ) THEN
    RAISE EXCLUSION_VIOLATION USING CONSTRAINT = 'holds_doctor_label_key';
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER refuse_held_time_of_new BEFORE INSERT ON appointments
  FOR EACH ROW WHEN (NOT NEW.is_cancelled AND NEW.archived_at IS NULL)
  EXECUTE FUNCTION refuse_held_time();
--> statement-breakpoint
CREATE TRIGGER refuse_held_time_of_moved
  BEFORE UPDATE OF doctor_id, date, available_time_id, period, is_cancelled, archived_at ON appointments
  FOR EACH ROW WHEN (NOT NEW.is_cancelled AND NEW.archived_at IS NULL AND (
    OLD.is_cancelled OR OLD.archived_at IS NOT NULL
    OR (OLD.doctor_id, OLD.date, OLD.available_time_id, OLD.period)
      IS DISTINCT FROM (NEW.doctor_id, NEW.date, NEW.available_time_id, NEW.period)))
  EXECUTE FUNCTION refuse_held_time();
--> statement-breakpoint
CREATE FUNCTION refuse_booked_time() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM FROM doctors WHERE id = NEW.doctor_id FOR NO KEY UPDATE;
  IF EXISTS (
    SELECT FROM appointments WHERE doctor_id = NEW.doctor_id AND period && NEW.period
      AND NOT is_cancelled AND archived_at IS NULL
  ) THEN
    RAISE EXCLUSION_VIOLATION USING CONSTRAINT = 'appointments_doctor_period_excl';
  ELSIF NEW.period IS NULL AND EXISTS (
    SELECT FROM appointments WHERE doctor_id = NEW.doctor_id AND period IS NULL
      AND date = NEW.date AND available_time_id = NEW.available_time_id AND NOT is_cancelled AND archived_at IS NULL
  ) THEN
    RAISE EXCLUSION_VIOLATION USING CONSTRAINT = 'appointments_doctor_label_key';
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER refuse_booked_time BEFORE INSERT OR UPDATE OF doctor_id, date, available_time_id, period ON holds
  FOR EACH ROW EXECUTE FUNCTION refuse_booked_time();
