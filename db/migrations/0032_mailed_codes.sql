ALTER TABLE "password_resets" ALTER COLUMN "created_by" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "password_resets" ADD COLUMN "mailed_at" timestamp with time zone[] DEFAULT '{}' NOT NULL;