CREATE TABLE "identities" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "identities_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" bigint NOT NULL,
	"issuer" varchar(500) NOT NULL,
	"subject" varchar(255) NOT NULL,
	"linked_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "identities" ADD CONSTRAINT "identities_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "identities_subject_key" ON "identities" USING btree ("issuer","subject");--> statement-breakpoint
CREATE UNIQUE INDEX "identities_user_key" ON "identities" USING btree ("user_id","issuer");--> statement-breakpoint
CREATE FUNCTION audit_identity() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM audit_change(TG_ARGV[0], 'users', CASE TG_OP WHEN 'DELETE' THEN OLD.user_id ELSE NEW.user_id END);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_link AFTER INSERT ON identities
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION audit_identity('link-identity');
--> statement-breakpoint
CREATE TRIGGER audit_unlink AFTER DELETE ON identities
  FOR EACH ROW EXECUTE FUNCTION audit_identity('unlink-identity');
--> statement-breakpoint
CREATE TRIGGER refuse_for_erased BEFORE INSERT ON identities
  FOR EACH ROW WHEN (current_setting('search_path') <> '') EXECUTE FUNCTION refuse_for_erased_user();
