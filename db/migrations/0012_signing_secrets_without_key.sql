ALTER TABLE "signing_secrets" DROP CONSTRAINT "signing_secrets_one_row";--> statement-breakpoint
ALTER TABLE "signing_secrets" ADD COLUMN "noted_at" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "signing_secrets" DROP COLUMN "id";