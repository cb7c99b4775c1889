ALTER TABLE "doctors" ADD COLUMN "is_approved" boolean DEFAULT true NOT NULL;--> statement-breakpoint
CREATE INDEX "doctors_unapproved_idx" ON "doctors" USING btree ("id") WHERE archived_at is null and not is_approved;--> statement-breakpoint
CREATE OR REPLACE FUNCTION inherit_activity() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  -- The lock keeps the user as it is until the doctor is there for copy_activity to find.
  NEW.is_active := NEW.is_approved AND (SELECT is_active FROM users WHERE id = NEW.user_id FOR SHARE);
  RETURN NEW;
END $$;
--> statement-breakpoint
DROP TRIGGER inherit_activity ON doctors;
--> statement-breakpoint
CREATE TRIGGER inherit_activity BEFORE INSERT OR UPDATE OF is_approved ON doctors
  FOR EACH ROW EXECUTE FUNCTION inherit_activity();
--> statement-breakpoint
CREATE OR REPLACE FUNCTION copy_activity() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE doctors SET is_active = NEW.is_active
    WHERE user_id = NEW.id AND is_approved AND is_active <> NEW.is_active;
  RETURN NULL;
END $$;
