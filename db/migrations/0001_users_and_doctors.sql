CREATE TABLE "users" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "users_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"username" varchar(150) NOT NULL,
	"email" varchar(254) NOT NULL,
	"first_name" varchar(150) DEFAULT '' NOT NULL,
	"last_name" varchar(150) DEFAULT '' NOT NULL,
	"display_name" text GENERATED ALWAYS AS (coalesce(nullif(btrim(first_name || ' ' || last_name), ''), username)) STORED NOT NULL,
	"password_hash" text NOT NULL,
	"is_staff" boolean DEFAULT false NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"date_joined" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"token_hash" char(64) PRIMARY KEY NOT NULL,
	"user_id" bigint NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "profiles" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "profiles_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" bigint NOT NULL,
	"bio" varchar(2000) DEFAULT '' NOT NULL,
	"address" varchar(255) DEFAULT '' NOT NULL,
	"date_of_birth" date,
	"picture" varchar(60),
	"filled" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "profiles_user_id_key" UNIQUE("user_id")
);
--> statement-breakpoint
CREATE TABLE "patients" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "patients_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" bigint NOT NULL,
	"picture" varchar(60),
	"phone" varchar(20),
	"phone_digits" text GENERATED ALWAYS AS (nullif(regexp_replace(phone, '[^0-9]', '', 'g'), '')) STORED,
	"filled" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"archived_at" timestamp with time zone,
	"archived_by" bigint
);
--> statement-breakpoint
CREATE TABLE "available_times" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "available_times_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"label" varchar(50) NOT NULL,
	"start_minute" integer,
	"end_minute" integer,
	CONSTRAINT "available_times_minutes_check" CHECK ((start_minute is null) = (end_minute is null) and (start_minute is null or (start_minute between 0 and 1439
          and end_minute > start_minute and end_minute <= start_minute + 1440)))
);
--> statement-breakpoint
CREATE TABLE "designations" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "designations_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"name" varchar(50) NOT NULL,
	"slug" varchar(60) NOT NULL
);
--> statement-breakpoint
CREATE TABLE "specialisations" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "specialisations_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"name" varchar(50) NOT NULL,
	"slug" varchar(60) NOT NULL
);
--> statement-breakpoint
CREATE TABLE "doctor_available_times" (
	"doctor_id" bigint NOT NULL,
	"available_time_id" bigint NOT NULL,
	CONSTRAINT "doctor_available_times_doctor_id_available_time_id_pk" PRIMARY KEY("doctor_id","available_time_id")
);
--> statement-breakpoint
CREATE TABLE "doctor_designations" (
	"doctor_id" bigint NOT NULL,
	"designation_id" bigint NOT NULL,
	CONSTRAINT "doctor_designations_doctor_id_designation_id_pk" PRIMARY KEY("doctor_id","designation_id")
);
--> statement-breakpoint
CREATE TABLE "doctor_specialisations" (
	"doctor_id" bigint NOT NULL,
	"specialisation_id" bigint NOT NULL,
	CONSTRAINT "doctor_specialisations_doctor_id_specialisation_id_pk" PRIMARY KEY("doctor_id","specialisation_id")
);
--> statement-breakpoint
CREATE TABLE "doctors" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "doctors_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" bigint NOT NULL,
	"picture" varchar(60),
	"fee" integer DEFAULT 0 NOT NULL,
	"meet_link" varchar(250) DEFAULT '' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"archived_at" timestamp with time zone,
	"archived_by" bigint
);
--> statement-breakpoint
CREATE TABLE "discarded_pictures" (
	"name" varchar(60) PRIMARY KEY NOT NULL,
	"due_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "profiles" ADD CONSTRAINT "profiles_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "patients" ADD CONSTRAINT "patients_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "patients" ADD CONSTRAINT "patients_archived_by_users_id_fk" FOREIGN KEY ("archived_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "doctor_available_times" ADD CONSTRAINT "doctor_available_times_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "doctor_available_times" ADD CONSTRAINT "doctor_available_times_available_time_id_available_times_id_fk" FOREIGN KEY ("available_time_id") REFERENCES "public"."available_times"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "doctor_designations" ADD CONSTRAINT "doctor_designations_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "doctor_designations" ADD CONSTRAINT "doctor_designations_designation_id_designations_id_fk" FOREIGN KEY ("designation_id") REFERENCES "public"."designations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "doctor_specialisations" ADD CONSTRAINT "doctor_specialisations_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "doctor_specialisations" ADD CONSTRAINT "doctor_specialisations_specialisation_id_specialisations_id_fk" FOREIGN KEY ("specialisation_id") REFERENCES "public"."specialisations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "doctors" ADD CONSTRAINT "doctors_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "doctors" ADD CONSTRAINT "doctors_archived_by_users_id_fk" FOREIGN KEY ("archived_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "users_username_key" ON "users" USING btree (lower("username"));--> statement-breakpoint
CREATE UNIQUE INDEX "users_email_key" ON "users" USING btree (lower("email"));--> statement-breakpoint
CREATE INDEX "users_display_name_trgm" ON "users" USING gin (lower("display_name") gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "users_display_name_idx" ON "users" USING btree ("display_name","id");--> statement-breakpoint
CREATE INDEX "sessions_user_id_idx" ON "sessions" USING btree ("user_id","expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "patients_user_id_key" ON "patients" USING btree ("user_id") WHERE archived_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "patients_phone_key" ON "patients" USING btree ("phone_digits") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "patients_user_id_idx" ON "patients" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "patients_archived_by_idx" ON "patients" USING btree ("archived_by");--> statement-breakpoint
CREATE UNIQUE INDEX "designations_slug_key" ON "designations" USING btree ("slug");--> statement-breakpoint
CREATE UNIQUE INDEX "specialisations_slug_key" ON "specialisations" USING btree ("slug");--> statement-breakpoint
CREATE INDEX "doctor_available_times_available_time_id_idx" ON "doctor_available_times" USING btree ("available_time_id","doctor_id");--> statement-breakpoint
CREATE INDEX "doctor_designations_designation_id_idx" ON "doctor_designations" USING btree ("designation_id","doctor_id");--> statement-breakpoint
CREATE INDEX "doctor_specialisations_specialisation_id_idx" ON "doctor_specialisations" USING btree ("specialisation_id","doctor_id");--> statement-breakpoint
CREATE UNIQUE INDEX "doctors_user_id_key" ON "doctors" USING btree ("user_id") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "doctors_user_id_idx" ON "doctors" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "doctors_live_idx" ON "doctors" USING btree ("id") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "doctors_fee_idx" ON "doctors" USING btree ("fee","id") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "doctors_archived_by_idx" ON "doctors" USING btree ("archived_by");--> statement-breakpoint
CREATE INDEX "discarded_pictures_due_at_idx" ON "discarded_pictures" USING btree ("due_at");