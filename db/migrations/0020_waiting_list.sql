CREATE TABLE "freed_times" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "freed_times_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"doctor_id" bigint NOT NULL,
	"period" "tsrange",
	"date" date,
	"available_time_id" bigint,
	CONSTRAINT "freed_times_check" CHECK (num_nonnulls(date, available_time_id) = case when period is null then 2 else 0 end)
);
--> statement-breakpoint
CREATE TABLE "waiting_entries" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "waiting_entries_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"patient_id" bigint NOT NULL,
	"doctor_id" bigint,
	"specialisation_id" bigint,
	"starts_on" date NOT NULL,
	"ends_on" date NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "waiting_entries_for_check" CHECK (num_nonnulls(doctor_id, specialisation_id) = 1),
	CONSTRAINT "waiting_entries_ends_on_check" CHECK (ends_on >= starts_on)
);
--> statement-breakpoint
CREATE TABLE "waiting_entry_times" (
	"entry_id" bigint NOT NULL,
	"available_time_id" bigint NOT NULL,
	CONSTRAINT "waiting_entry_times_entry_id_available_time_id_pk" PRIMARY KEY("entry_id","available_time_id")
);
--> statement-breakpoint
CREATE TABLE "waiting_offers" (
	"entry_id" bigint NOT NULL,
	"doctor_id" bigint NOT NULL,
	"available_time_id" bigint NOT NULL,
	"date" date NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "waiting_offers_entry_id_doctor_id_available_time_id_date_pk" PRIMARY KEY("entry_id","doctor_id","available_time_id","date")
);
--> statement-breakpoint
ALTER TABLE "holds" DROP CONSTRAINT "holds_holder_check";--> statement-breakpoint
ALTER TABLE "holds" ALTER COLUMN "token_hash" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "holds" ADD COLUMN "waiting_entry_id" bigint;--> statement-breakpoint
ALTER TABLE "freed_times" ADD CONSTRAINT "freed_times_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "freed_times" ADD CONSTRAINT "freed_times_available_time_id_available_times_id_fk" FOREIGN KEY ("available_time_id") REFERENCES "public"."available_times"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waiting_entries" ADD CONSTRAINT "waiting_entries_patient_id_patients_id_fk" FOREIGN KEY ("patient_id") REFERENCES "public"."patients"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waiting_entries" ADD CONSTRAINT "waiting_entries_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waiting_entries" ADD CONSTRAINT "waiting_entries_specialisation_id_specialisations_id_fk" FOREIGN KEY ("specialisation_id") REFERENCES "public"."specialisations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waiting_entry_times" ADD CONSTRAINT "waiting_entry_times_entry_id_waiting_entries_id_fk" FOREIGN KEY ("entry_id") REFERENCES "public"."waiting_entries"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waiting_entry_times" ADD CONSTRAINT "waiting_entry_times_available_time_id_available_times_id_fk" FOREIGN KEY ("available_time_id") REFERENCES "public"."available_times"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waiting_offers" ADD CONSTRAINT "waiting_offers_entry_id_waiting_entries_id_fk" FOREIGN KEY ("entry_id") REFERENCES "public"."waiting_entries"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waiting_offers" ADD CONSTRAINT "waiting_offers_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "waiting_offers" ADD CONSTRAINT "waiting_offers_available_time_id_available_times_id_fk" FOREIGN KEY ("available_time_id") REFERENCES "public"."available_times"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "freed_times_doctor_id_idx" ON "freed_times" USING btree ("doctor_id");--> statement-breakpoint
CREATE INDEX "freed_times_available_time_id_idx" ON "freed_times" USING btree ("available_time_id");--> statement-breakpoint
CREATE UNIQUE INDEX "waiting_entries_doctor_key" ON "waiting_entries" USING btree ("patient_id","doctor_id");--> statement-breakpoint
CREATE UNIQUE INDEX "waiting_entries_specialisation_key" ON "waiting_entries" USING btree ("patient_id","specialisation_id");--> statement-breakpoint
CREATE INDEX "waiting_entries_doctor_id_idx" ON "waiting_entries" USING btree ("doctor_id","id");--> statement-breakpoint
CREATE INDEX "waiting_entries_specialisation_id_idx" ON "waiting_entries" USING btree ("specialisation_id","id");--> statement-breakpoint
CREATE INDEX "waiting_entry_times_available_time_id_idx" ON "waiting_entry_times" USING btree ("available_time_id");--> statement-breakpoint
CREATE INDEX "waiting_offers_doctor_id_idx" ON "waiting_offers" USING btree ("doctor_id");--> statement-breakpoint
CREATE INDEX "waiting_offers_available_time_id_idx" ON "waiting_offers" USING btree ("available_time_id");--> statement-breakpoint
ALTER TABLE "holds" ADD CONSTRAINT "holds_waiting_entry_id_waiting_entries_id_fk" FOREIGN KEY ("waiting_entry_id") REFERENCES "public"."waiting_entries"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "holds_waiting_entry_key" ON "holds" USING btree ("waiting_entry_id");--> statement-breakpoint
ALTER TABLE "holds" ADD CONSTRAINT "holds_holder_check" CHECK (num_nonnulls(user_id, address_hash, waiting_entry_id) = 1 and num_nonnulls(token_hash, waiting_entry_id) = 1);--> statement-breakpoint
-- Nobody knows who waits for it but whoever has locked the doctor, and offers it then.
CREATE FUNCTION note_freed_time() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM waiting_entries) THEN
    RETURN NULL;
  ELSIF OLD.period IS NULL THEN
    INSERT INTO freed_times (doctor_id, date, available_time_id)
      VALUES (OLD.doctor_id, OLD.date, OLD.available_time_id);
  ELSE
    INSERT INTO freed_times (doctor_id, period) VALUES (OLD.doctor_id, OLD.period);
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER note_freed_time
  AFTER UPDATE OF doctor_id, date, available_time_id, period, is_cancelled, archived_at ON appointments
  FOR EACH ROW WHEN (NOT OLD.is_cancelled AND OLD.archived_at IS NULL AND (
    NEW.is_cancelled OR NEW.archived_at IS NOT NULL
    OR (OLD.doctor_id, OLD.date, OLD.available_time_id, OLD.period)
      IS DISTINCT FROM (NEW.doctor_id, NEW.date, NEW.available_time_id, NEW.period)))
  EXECUTE FUNCTION note_freed_time();
--> statement-breakpoint
CREATE TRIGGER note_freed_time AFTER DELETE ON holds FOR EACH ROW EXECUTE FUNCTION note_freed_time();
