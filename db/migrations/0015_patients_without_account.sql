CREATE TABLE "patient_invitations" (
	"patient_id" bigint PRIMARY KEY NOT NULL,
	"token_hash" char(64) NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" bigint NOT NULL
);
--> statement-breakpoint
DROP INDEX "patients_phone_key";--> statement-breakpoint
ALTER TABLE "patients" ALTER COLUMN "user_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "patients" ADD COLUMN "first_name" varchar(150);--> statement-breakpoint
ALTER TABLE "patients" ADD COLUMN "last_name" varchar(150);--> statement-breakpoint
ALTER TABLE "patients" ADD COLUMN "email" varchar(254);--> statement-breakpoint
ALTER TABLE "patients" ADD COLUMN "date_of_birth" date;--> statement-breakpoint
ALTER TABLE "patients" ADD COLUMN "managed_by" bigint;--> statement-breakpoint
ALTER TABLE "patients" ADD COLUMN "folded_names" text GENERATED ALWAYS AS (folded(first_name || ' ' || last_name)) STORED;--> statement-breakpoint
ALTER TABLE "patient_invitations" ADD CONSTRAINT "patient_invitations_patient_id_patients_id_fk" FOREIGN KEY ("patient_id") REFERENCES "public"."patients"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "patient_invitations" ADD CONSTRAINT "patient_invitations_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "patient_invitations_token_hash_key" ON "patient_invitations" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "patient_invitations_created_by_idx" ON "patient_invitations" USING btree ("created_by");--> statement-breakpoint
ALTER TABLE "patients" ADD CONSTRAINT "patients_managed_by_users_id_fk" FOREIGN KEY ("managed_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "patients_managed_by_idx" ON "patients" USING btree ("managed_by") WHERE managed_by is not null;--> statement-breakpoint
CREATE INDEX "patients_names_trgm" ON "patients" USING gin ("folded_names" gin_trgm_ops) WHERE folded_names is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "patients_phone_key" ON "patients" USING btree ("phone_digits") WHERE archived_at is null and managed_by is null;--> statement-breakpoint
ALTER TABLE "patients" ADD CONSTRAINT "patients_person_check" CHECK (case when user_id is null then btrim(first_name) <> '' and btrim(last_name) <> ''
        and first_name is not null and last_name is not null
        else num_nonnulls(first_name, last_name, email, date_of_birth, managed_by) = 0 end);--> statement-breakpoint
ALTER TABLE "patients" ADD CONSTRAINT "patients_dependant_check" CHECK (managed_by is null or date_of_birth is not null);--> statement-breakpoint
-- As 0005_search_statistics did for the names of users.
ALTER TABLE patients ALTER COLUMN folded_names SET STATISTICS 1000;
--> statement-breakpoint
ANALYZE patients;
