CREATE TABLE "totps" (
	"user_id" bigint PRIMARY KEY NOT NULL,
	"sealed_secret" text NOT NULL,
	"key_id" varchar(16) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"confirmed_at" timestamp with time zone,
	"last_step" integer,
	"wrong_codes" smallint DEFAULT 0 NOT NULL,
	"wrong_since" timestamp with time zone,
	"recovery_hashes" text[] DEFAULT '{}' NOT NULL
);
--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "has_second_factor" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "totps" ADD CONSTRAINT "totps_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
CREATE FUNCTION audit_totp() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM audit_change(TG_ARGV[0], 'users', CASE TG_OP WHEN 'DELETE' THEN OLD.user_id ELSE NEW.user_id END);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_enable AFTER UPDATE ON totps
  FOR EACH ROW WHEN (OLD.confirmed_at IS NULL AND NEW.confirmed_at IS NOT NULL) EXECUTE FUNCTION audit_totp('enable-totp');
--> statement-breakpoint
CREATE TRIGGER audit_use_recovery_code AFTER UPDATE ON totps
  FOR EACH ROW WHEN (cardinality(NEW.recovery_hashes) < cardinality(OLD.recovery_hashes))
  EXECUTE FUNCTION audit_totp('use-recovery-code');
--> statement-breakpoint
CREATE TRIGGER audit_renew_recovery_codes AFTER UPDATE ON totps
  FOR EACH ROW WHEN (OLD.confirmed_at IS NOT NULL AND NEW.recovery_hashes <> OLD.recovery_hashes
    AND cardinality(NEW.recovery_hashes) >= cardinality(OLD.recovery_hashes))
  EXECUTE FUNCTION audit_totp('renew-recovery-codes');
--> statement-breakpoint
CREATE TRIGGER audit_disable AFTER DELETE ON totps
  FOR EACH ROW WHEN (OLD.confirmed_at IS NOT NULL) EXECUTE FUNCTION audit_totp('disable-totp');
