CREATE TABLE "doctor_hours" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "doctor_hours_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"doctor_id" bigint NOT NULL,
	"weekday" smallint NOT NULL,
	"every_weeks" smallint NOT NULL,
	"starts_on" date NOT NULL,
	"ends_on" date,
	CONSTRAINT "doctor_hours_weekday_check" CHECK (weekday between 1 and 7),
	CONSTRAINT "doctor_hours_every_weeks_check" CHECK (every_weeks between 1 and 8),
	CONSTRAINT "doctor_hours_ends_on_check" CHECK (ends_on >= starts_on)
);
--> statement-breakpoint
CREATE TABLE "doctor_hours_times" (
	"hours_id" bigint NOT NULL,
	"doctor_id" bigint NOT NULL,
	"available_time_id" bigint NOT NULL,
	CONSTRAINT "doctor_hours_times_hours_id_available_time_id_pk" PRIMARY KEY("hours_id","available_time_id")
);
--> statement-breakpoint
CREATE TABLE "time_off" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "time_off_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"doctor_id" bigint,
	"starts_on" date,
	"ends_on" date,
	"starts_at" timestamp with time zone,
	"ends_at" timestamp with time zone,
	"reason" varchar(500) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" bigint,
	CONSTRAINT "time_off_days_or_moments_check" CHECK (num_nonnulls(starts_on, ends_on, starts_at, ends_at) = 2
        and coalesce(starts_on <= ends_on, starts_at < ends_at, false))
);
--> statement-breakpoint
ALTER TABLE "doctor_hours" ADD CONSTRAINT "doctor_hours_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "doctor_hours_times" ADD CONSTRAINT "doctor_hours_times_hours_id_doctor_hours_id_fk" FOREIGN KEY ("hours_id") REFERENCES "public"."doctor_hours"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "doctor_hours_times" ADD CONSTRAINT "doctor_hours_times_offer_fk" FOREIGN KEY ("doctor_id","available_time_id") REFERENCES "public"."doctor_available_times"("doctor_id","available_time_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "time_off" ADD CONSTRAINT "time_off_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "time_off" ADD CONSTRAINT "time_off_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "doctor_hours_doctor_id_idx" ON "doctor_hours" USING btree ("doctor_id","id");--> statement-breakpoint
CREATE INDEX "doctor_hours_times_offer_idx" ON "doctor_hours_times" USING btree ("doctor_id","available_time_id");--> statement-breakpoint
CREATE INDEX "time_off_doctor_id_idx" ON "time_off" USING btree ("doctor_id","id");--> statement-breakpoint
CREATE INDEX "time_off_created_by_idx" ON "time_off" USING btree ("created_by");